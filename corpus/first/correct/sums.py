"""Correct layers: sums in other orders."""

from __future__ import annotations

import functools
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from corpus.first.correct.shared import _HI, F32, _FromMoments


class EinsumMoments(_FromMoments):
    """Both moments are einsums at the highest precision; the square never exists as an array."""

    def moments(self, x):
        n = x.shape[0]
        mean = jnp.einsum("nd->d", x) / n
        c = x - mean
        return mean, jnp.einsum("nd,nd->d", c, c, precision=_HI) / n


class OnesDot(_FromMoments):
    """Sums as a product with a row of ones (highest precision), on data shifted by row 0."""

    def moments(self, x):
        ones = jnp.ones((x.shape[0],), F32)
        total = functools.partial(jnp.dot, ones, precision=_HI)
        anchor = lax.stop_gradient(x[0])
        mean = anchor + total(x - anchor) / len(ones)
        return mean, total(jnp.square(x - mean)) / len(ones)


class SegmentSums(_FromMoments):
    """The batch is treated as one segment of jax.ops.segment_sum."""

    def moments(self, x):
        n = x.shape[0]
        ids = jnp.zeros((n,), jnp.int32)
        total = lambda a: jax.ops.segment_sum(a, ids, num_segments=1)[0]  # noqa: E731
        anchor = lax.stop_gradient(x[:1])
        mean = (anchor[0] + total(x - anchor) / n).astype(F32)
        return mean, total((x - mean) ** 2) / n


class LaxOnly(_FromMoments):
    """Written in lax primitives alone: reduce, broadcast_in_dim, sub, mul, div, sqrt."""

    @staticmethod
    def _mean(x):
        n = lax.full((x.shape[1],), x.shape[0], F32)
        return lax.div(lax.reduce(x, np.float32(0), lax.add, (0,)), n)

    def moments(self, x):
        mean = self._mean(x)
        c = lax.sub(x, lax.broadcast_in_dim(mean, x.shape, (1,)))
        return mean, self._mean(lax.mul(c, c))

    def _affine(self, x, mean, var):
        rows = lambda v: lax.broadcast_in_dim(jnp.asarray(v, F32), x.shape, (1,))  # noqa: E731
        root = lax.sqrt(lax.add(jnp.asarray(var, F32), lax.full(var.shape, self.eps, F32)))
        normal = lax.div(lax.sub(x, rows(mean)), rows(root))
        return lax.add(lax.mul(rows(self.gamma[...]), normal), rows(self.beta[...]))


def _chan(a, b):
    """Chan's merge of two (count, mean, sum of squared deviations) triples."""
    na, ma, sa = a
    nb, mb, sb = b
    n = na + nb
    delta = mb - ma
    return n, ma + delta * (nb / n), sa + sb + delta * delta * (na * nb / n)


class AssociativeWelford(_FromMoments):
    """lax.associative_scan over Welford triples, one per row; the last prefix is the batch."""

    @staticmethod
    @jax.jit
    def _scan(x):
        leaves = (jnp.ones((x.shape[0], 1), F32), x, jnp.zeros_like(x))
        n, mean, m2 = lax.associative_scan(_chan, leaves)
        return mean[-1], m2[-1] / n[-1]

    def moments(self, x):
        return self._scan(x)


class PairwiseTree(_FromMoments):
    """An explicit pairwise tree: pad with zeros to a power of two, halve until one row is left."""

    @staticmethod
    def _total(a):
        n = a.shape[0]
        a = jnp.pad(a, ((0, (1 << (n - 1).bit_length()) - n), (0, 0)))
        while a.shape[0] > 1:
            half = a.shape[0] // 2
            a = a[:half] + a[half:]
        return a[0]

    def moments(self, x):
        n = x.shape[0]
        mean = self._total(x) / n
        return mean, self._total((x - mean) ** 2) / n


class ChunkedRows(_FromMoments):
    """Rows in chunks of sixteen with a mask for the ragged end; partial sums are then summed."""

    CHUNK: ClassVar[int] = 16

    def _blocks(self, a):
        pad = -a.shape[0] % self.CHUNK
        return jnp.pad(a, ((0, pad), (0, 0))).reshape(-1, self.CHUNK, a.shape[1])

    def moments(self, x):
        n = x.shape[0]
        blocks, mask = self._blocks(x), self._blocks(jnp.ones((n, 1), F32))
        mean = blocks.sum(1).sum(0) / n
        deviation = jnp.where(mask > 0, blocks - mean, 0.0)
        return mean, jnp.square(deviation).sum(1).sum(0) / n


class SortedSums(_FromMoments):
    """Sorts every column (deviations from the first row) by value before summing it."""

    def moments(self, x):
        n = x.shape[0]
        anchor = lax.stop_gradient(x[0])
        mean = anchor + jnp.sum(jnp.sort(x - anchor, axis=0), axis=0) / n
        return mean, jnp.sum(jnp.sort(jnp.square(x - mean), axis=0), axis=0) / n


class WelfordFori(_FromMoments):
    """Welford's recurrence, on x - x[0], in a lax.fori_loop of static length (differentiable)."""

    @staticmethod
    @jax.jit
    def _run(x):
        anchor = lax.stop_gradient(x[0])
        z = x - anchor

        def step(i, carry):
            mean, m2 = carry
            row = lax.dynamic_index_in_dim(z, i, 0, keepdims=False)
            delta = row - mean
            mean = mean + delta / (i + 1).astype(F32)
            return mean, m2 + delta * (row - mean)

        mean, m2 = lax.fori_loop(1, z.shape[0], step, (z[0], jnp.zeros_like(z[0])))
        return anchor + mean, m2 / z.shape[0]

    def moments(self, x):
        return self._run(x)


class WelfordScan(_FromMoments):
    """Welford's recurrence, on x - x[0], in a lax.scan; the count rides in the carry as a float."""

    def moments(self, x):
        def step(carry, row):
            count, mean, m2 = carry
            count = count + 1
            delta = row - mean
            mean = mean + delta / count
            return (count, mean, m2 + delta * (row - mean)), None

        anchor = lax.stop_gradient(x[0])
        zero = jnp.zeros_like(anchor)
        start = (jnp.zeros((), F32), zero, zero)
        (count, mean, m2), _ = lax.scan(step, start, x - anchor)
        return anchor + mean, m2 / count


class ChanHalves(_FromMoments):
    """Statistics of both halves of the batch, merged by Chan's formula; one row is its own half."""

    @staticmethod
    def _part(a):
        mean = jnp.mean(a, axis=0)
        return float(a.shape[0]), mean, jnp.sum(jnp.square(a - mean), axis=0)

    def moments(self, x):
        half = x.shape[0] // 2
        merged = self._part(x[half:])
        if half:
            merged = _chan(self._part(x[:half]), merged)
        return merged[1], merged[2] / merged[0]
