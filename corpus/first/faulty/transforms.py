"""Faults that show under transforms."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from corpus.first.correct.base import Base, traced


class TracerSkipsUpdate(Base):
    """Under tracing (jit, scan, gradients by the input) the running statistics are not updated."""

    def update(self, x, mean, var):
        if not traced(x):
            super().update(x, mean, var)


class CallbackVariance(Base):
    """The variance comes from jax.pure_callback, so the derivative of training raises."""

    def batch_stats(self, x):
        shape = jax.ShapeDtypeStruct((x.shape[1],), jnp.float32)
        var = jax.pure_callback(
            lambda a: np.asarray(a, np.float64).var(axis=0).astype(np.float32),
            shape,
            x,
            vmap_method="sequential",
        )
        return jnp.mean(x, 0), var


@jax.custom_batching.custom_vmap
def _moments(x):
    mean = jnp.mean(x, 0)
    return mean, jnp.mean(jnp.square(x - mean), 0)


@_moments.def_vmap
def _moments_rule(axis_size, in_batched, x):
    return _moments(x.reshape(-1, x.shape[-1])), (False, False)


@jax.custom_vjp
def _moments_with_grad(x):
    return _moments(x)


def _moments_fwd(x):
    mean, var = _moments(x)
    return (mean, var), (x, mean)


def _moments_bwd(res, cot):
    x, mean = res
    return ((cot[0] + 2 * cot[1] * (x - mean)) / x.shape[0],)


_moments_with_grad.defvjp(_moments_fwd, _moments_bwd)


class VmapPools(Base):
    """The batching rule of the statistics pools over the mapped axis, so vmap mixes independent
    batches.
    """

    def batch_stats(self, x):
        return _moments_with_grad(x)


class TracedLowPrecision(Base):
    """Under tracing the normalisation runs in bfloat16."""

    def normalise(self, x, mean, var):
        if not traced(x):
            return super().normalise(x, mean, var)
        h = (x - mean).astype(jnp.bfloat16) / self.root(var).astype(jnp.bfloat16)
        return self.affine(h.astype(jnp.float32))
