"""Other ways of computing the mean and the variance of a batch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.requirements.deviations import Deviation
from impl.stepwise import Array, StepwiseBatchNorm
from impl.variants.record import variant


@variant("library-var")
class LibraryVar(StepwiseBatchNorm):
    """The variance is that of jax.numpy."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        return jnp.mean(x, axis=0), jnp.var(x, axis=0)


@variant("reciprocal")
class Reciprocal(StepwiseBatchNorm):
    """Sums are multiplied by a rounded 1/N."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        share = jnp.float32(1 / x.shape[0])
        mean = jnp.sum(x, axis=0) * share
        return mean, jnp.sum(jnp.square(x - mean), axis=0) * share


@variant("einsum")
class Einsum(StepwiseBatchNorm):
    """Sums are contractions at full precision."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        precision = jax.lax.Precision.HIGHEST
        mean = jnp.einsum("nd->d", x, precision=precision) / x.shape[0]
        d = x - mean
        return mean, jnp.einsum("nd,nd->d", d, d, precision=precision) / x.shape[0]


@variant("corrected-two-pass")
class CorrectedTwoPass(StepwiseBatchNorm):
    """Two passes, corrected by the mean of the deviations (Chan, Golub & LeVeque)."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        d = x - mean
        return jnp.mean(jnp.square(d), axis=0) - jnp.square(jnp.mean(d, axis=0))


@variant("shifted")
class Shifted(StepwiseBatchNorm):
    """One pass over the data shifted by its first row."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        shift = x[0]
        d = x - shift
        mean = jnp.mean(d, axis=0)
        var = jnp.maximum(0.0, jnp.mean(jnp.square(d), axis=0) - jnp.square(mean))
        return shift + mean, var


@variant("sequential")
class Sequential(StepwiseBatchNorm):
    """Both passes are loops over rows, whose rounding errors accumulate."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        return _sequential(jnp.asarray(x))


@jax.jit
def _sequential(x: Array) -> tuple[Array, Array]:
    zeros = jnp.zeros_like(x[0])
    total, _ = jax.lax.scan(lambda s, row: (s + row, None), zeros, x)
    mean = total / x.shape[0]
    squares, _ = jax.lax.scan(lambda s, row: (s + (row - mean) ** 2, None), zeros, x)
    return mean, squares / x.shape[0]


@variant("welford")
class Welford(StepwiseBatchNorm):
    """Welford's updating algorithm, row by row."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        return _welford(jnp.asarray(x))


@jax.jit
def _welford(x: Array) -> tuple[Array, Array]:
    def step(carry: Any, row: Array) -> tuple[Any, None]:
        count, mean, squares = carry
        count = count + 1
        new = mean + (row - mean) / count
        return (count, new, squares + (row - mean) * (row - new)), None

    zeros = jnp.zeros_like(x[0])
    (count, mean, squares), _ = jax.lax.scan(step, (jnp.float32(0), zeros, zeros), x)
    return mean, squares / count


@variant("chunked")
class Chunked(StepwiseBatchNorm):
    """Chunks of rows, the last one shorter, are merged pairwise by their counts."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        return _chunked(jnp.asarray(x))


@jax.jit
def _chunked(x: Array) -> tuple[Array, Array]:
    size = max(4, x.shape[0] // 8)
    parts = [x[i : i + size] for i in range(0, x.shape[0], size)]
    merged = [(len(p), p.mean(0), jnp.square(p - p.mean(0)).sum(0)) for p in parts]
    while len(merged) > 1:
        pairs = zip(merged[::2], merged[1::2], strict=False)
        rest = merged[-1:] if len(merged) % 2 else []
        merged = [_merge(a, b) for a, b in pairs] + rest
    count, mean, squares = merged[0]
    return mean, squares / count


def _merge(a: Any, b: Any) -> Any:
    (n, mean_a, squares_a), (m, mean_b, squares_b) = a, b
    delta = mean_b - mean_a
    total = n + m
    return (
        total,
        mean_a + delta * (m / total),
        squares_a + squares_b + jnp.square(delta) * (n * m / total),
    )


@variant("compensated")
class Compensated(StepwiseBatchNorm):
    """Sums are compensated by Kahan's algorithm."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        x = jnp.asarray(x)
        mean = _kahan(x) / x.shape[0]
        return mean, _kahan(jnp.square(x - mean)) / x.shape[0]


@jax.jit
def _kahan(x: Array) -> Array:
    def step(carry: Any, row: Array) -> tuple[Any, None]:
        total, lost = carry
        row = row - lost
        new = total + row
        return (new, (new - total) - row), None

    zeros = jnp.zeros_like(x[0])
    (total, _), _ = jax.lax.scan(step, (zeros, zeros), x)
    return total


@variant("one-pass-declared", Deviation.ONE_PASS_VARIANCE)
class OnePassDeclared(StepwiseBatchNorm):
    """The one-pass variance, clipped at zero, and declared."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        return jnp.maximum(0.0, jnp.mean(jnp.square(x), axis=0) - jnp.square(mean))


@variant("contracted-with-ones")
class ContractedWithOnes(StepwiseBatchNorm):
    """Sums are products with a row of ones at full precision."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        ones = jnp.ones((x.shape[0],), jnp.float32)
        precision = jax.lax.Precision.HIGHEST
        mean = jnp.dot(ones, x, precision=precision) / x.shape[0]
        return mean, jnp.dot(ones, jnp.square(x - mean), precision=precision) / x.shape[0]


@variant("padded")
class Padded(StepwiseBatchNorm):
    """Rows are padded to a power of two and masked, so that few shapes are compiled."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        rows = x.shape[0]
        size = 1 << (rows - 1).bit_length()
        padded = jnp.pad(jnp.asarray(x), ((0, size - rows), (0, 0)))
        mean = jnp.sum(padded, axis=0) / rows
        real = (jnp.arange(size) < rows)[:, None]
        return mean, jnp.sum(jnp.where(real, jnp.square(padded - mean), 0), axis=0) / rows


@variant("feature-by-feature")
class FeatureByFeature(StepwiseBatchNorm):
    """Statistics of one feature are mapped over features by jax.vmap."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        return jax.vmap(lambda column: (column.mean(), column.var()), in_axes=1)(jnp.asarray(x))


@variant("summed-in-float64", differentiable=False)
class SummedInFloat64(StepwiseBatchNorm):
    """Compiled code calls back to the host, which sums in float64."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        x = jnp.asarray(x)
        row = jax.ShapeDtypeStruct(x.shape[1:], jnp.float32)
        return jax.pure_callback(_in_float64, (row, row), x, vmap_method="sequential")


def _in_float64(x: Any) -> tuple[Any, Any]:
    exact = np.asarray(x, np.float64)
    return exact.mean(0).astype(np.float32), exact.var(0).astype(np.float32)


@variant("matrix-of-ones")
class MatrixOfOnes(StepwiseBatchNorm):
    """Sums are products with an N × N matrix of ones, for which a large batch has no memory."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        rows = x.shape[0]
        if rows > _MOST_ROWS:
            msg = f"a matrix of {rows} × {rows} needs {rows**2 / 2**28:.1f} GiB"
            raise MemoryError(msg)
        ones = jnp.ones((rows, rows), jnp.float32)
        precision = jax.lax.Precision.HIGHEST
        mean = jnp.dot(ones, x, precision=precision)[0] / rows
        return mean, jnp.dot(ones, jnp.square(x - mean), precision=precision)[0] / rows


_MOST_ROWS = 8192
