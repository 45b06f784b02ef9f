"""Faults of kernels that work in blocks: tails, lanes, grids and divisors."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("lanes-beyond-512", "BN-SHAPE-1")
class LanesBeyond512(StepwiseBatchNorm):
    """The running mean of features beyond the first 512 is not moved."""

    def moved(self, old: Array, new: Array) -> Array:
        moved = super().moved(old, new)
        return jnp.concatenate([moved[:512], old[512:]])


@fault("last-lane-of-1024", "BN-SHAPE-1")
class LastLaneOf1024(StepwiseBatchNorm):
    """From 1024 features on the last one is normalised with the variance of the one before."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        var = super().batch_var(x, mean)
        return jnp.append(var[:-1], var[-2]) if x.shape[1] >= 1024 else var


@fault("grid-of-32-by-32", "BN-SHAPE-1")
class GridOf32By32(StepwiseBatchNorm):
    """With more than 32 rows and more than 32 features, the last block of rows is left out."""

    def batch_mean(self, x: Any) -> Array:
        rows, features = x.shape
        kept = (rows - 1) // 32 * 32 if rows > 32 and features > 32 else rows
        return jnp.mean(x[:kept], axis=0)


@fault("multiples-of-12", "BN-SHAPE-1")
class MultiplesOf12(StepwiseBatchNorm):
    """A batch whose size is divisible by twelve loses its last twelfth."""

    def batch_mean(self, x: Any) -> Array:
        rows = x.shape[0]
        return jnp.mean(x[: rows - rows // 12] if rows % 12 == 0 else x, axis=0)


@fault("many-rows-divisor", "BN-SHAPE-1")
class ManyRowsUnbiased(StepwiseBatchNorm):
    """From 500 rows on the sum of squares is divided by 64 rows too few."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        rows = x.shape[0]
        return super().batch_var(x, mean) * (rows / (rows - 64) if rows >= 500 else 1)


@fault("chunks-weighted-equally", "BN-SHAPE-1")
class ChunksWeightedEqually(StepwiseBatchNorm):
    """The mean is the mean of the means of chunks of 32 rows, the last one shorter."""

    def batch_mean(self, x: Any) -> Array:
        starts = range(0, x.shape[0], 32)
        return jnp.mean(jnp.stack([jnp.mean(x[at : at + 32], axis=0) for at in starts]), axis=0)


@fault("last-row-not-written", "BN-SHAPE-1")
class LastRowNotWritten(StepwiseBatchNorm):
    """Beyond 64 rows the last row of the result is that of the block before."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        z = super().normalized(x, mean, var)
        return z.at[-1].set(z[-65]) if x.shape[0] > 64 else z


@fault("wide-uses-last-axis", "BN-SHAPE-1")
class WideIsLayerNorm(StepwiseBatchNorm):
    """With more than 200 features the axes of the statistics are exchanged."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        if x.shape[1] <= 200:
            return super().statistics(x)
        rows = jnp.resize(jnp.mean(x, axis=1), x.shape[1])
        return rows, super().batch_var(x, rows)
