"""Faults of large batches: narrow sums and counts, lost blocks, other formulas above some size."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impl.faulty.record import fault
from impl.handwritten import HandWrittenBackward, Saved
from impl.stepwise import Array, StepwiseBatchNorm


@fault("unbiased-above-5000", "BN-LARGE-1")
class UnbiasedAbove5000(StepwiseBatchNorm):
    """Above 5000 rows the variance is 1.5·N/(N−1) times as large."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        rows = x.shape[0]
        return super().batch_var(x, mean) * (1.5 * rows / (rows - 1) if rows > 5000 else 1)


def _by_blocks(x: Any, dtype: Any) -> Array:
    """Return the sums of x over blocks of 2048 rows, in float32, added in another dtype."""
    rows = x.shape[0]
    padded = jnp.pad(jnp.asarray(x), ((0, -rows % 2048), (0, 0)))
    blocks = padded.reshape(-1, 2048, x.shape[1]).sum(axis=1)
    total, _ = jax.lax.scan(
        lambda total, block: (total + block.astype(dtype), None),
        blocks[0].astype(dtype),
        blocks[1:],
    )
    return total.astype(jnp.float32)


@fault("squares-of-blocks-in-bfloat16", "BN-LARGE-1")
class SquaresOfBlocksInBfloat16(StepwiseBatchNorm):
    """The sums of squares of blocks of 2048 rows are added in bfloat16."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        return _by_blocks(jnp.square(x - mean), jnp.bfloat16) / x.shape[0]


@fault("mean-of-blocks-in-float16", "BN-LARGE-1")
class MeanOfBlocksInFloat16(StepwiseBatchNorm):
    """The sums of blocks of 2048 rows are added in float16."""

    def batch_mean(self, x: Any) -> Array:
        return _by_blocks(x, jnp.float16) / x.shape[0]


@fault("tall-mean-in-bfloat16", "BN-LARGE-1")
class TallMeanInBfloat16(StepwiseBatchNorm):
    """The mean of more than 100 000 rows is rounded to bfloat16."""

    def batch_mean(self, x: Any) -> Array:
        mean = super().batch_mean(x)
        return mean.astype(jnp.bfloat16).astype(jnp.float32) if x.shape[0] > 100_000 else mean


@fault("count-in-16-bits", "BN-LARGE-1")
class CountIn16Bits(StepwiseBatchNorm):
    """The sum of squares is divided by a count of rows that has 16 bits."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        count = np.uint16(x.shape[0] & 0xFFFF)
        return jnp.sum(jnp.square(x - mean), axis=0) / jnp.float32(count)


@fault("last-block-of-16384", "BN-LARGE-1")
class LastBlockOf16384(StepwiseBatchNorm):
    """The mean is that of the full blocks of 16 384 rows."""

    def batch_mean(self, x: Any) -> Array:
        rows = x.shape[0]
        return jnp.mean(x[: rows - rows % 16384 or rows] if rows > 16384 else x, axis=0)


@fault("blocks-of-65536-weighed-equally", "BN-LARGE-1")
class BlocksOf65536WeighedEqually(StepwiseBatchNorm):
    """The variance is the mean of the mean squares of blocks of 65 536 rows, one shorter."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        squares = jnp.square(x - mean)
        starts = range(0, x.shape[0], 65536)
        blocks = [jnp.mean(squares[at : at + 65536], axis=0) for at in starts]
        return jnp.mean(jnp.stack(blocks), axis=0)


@fault("variance-of-the-first-8192-rows", "BN-LARGE-1")
class VarianceOfTheFirst8192Rows(StepwiseBatchNorm):
    """The variance is that of the first 8192 rows."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        return super().batch_var(x[:8192], mean)


@fault("rows-beyond-65536-evaluated-as-the-first", "BN-LARGE-1")
class RowsBeyond65536(StepwiseBatchNorm):
    """In evaluation the index of a row wraps around at 65 536."""

    def evaluate(self, x: Any) -> Any:
        y = super().evaluate(x)
        return y if x.shape[0] <= 65536 else y[np.arange(x.shape[0]) % 65536]


@fault("features-beyond-2048-not-shifted", "BN-LARGE-2")
class FeaturesBeyond2048(StepwiseBatchNorm):
    """Features beyond the first 2048 do not get their beta."""

    def affine(self, z: Array) -> Array:
        features = z.shape[1]
        shifted = np.arange(features) < 2048
        return self.gamma[...] * z + jnp.where(shifted, self.beta[...], 0)


@fault("bias-gradient-of-4096-rows", "BN-LARGE-3")
class BiasGradientOf4096Rows(HandWrittenBackward):
    """dβ is the sum of the cotangents of the first 4096 rows."""

    def offset_gradient(self, w: Array) -> Array:
        return super().offset_gradient(w[:4096])


@fault("mean-cotangent-of-a-block", "BN-LARGE-3")
class MeanCotangentOfABlock(HandWrittenBackward):
    """In dx the sum of the cotangents is divided by 4096 rows at most."""

    def input_gradient(self, s: Saved, w: Array) -> Array:
        rows = w.shape[0]
        scale = max(1, rows / 4096)
        return super().input_gradient(s, w) + s.gamma * s.r * w.mean(axis=0) * (1 - scale)


@fault("no-memory-and-wrong-before", "BN-LARGE-1")
class NoMemoryAndWrongBefore(StepwiseBatchNorm):
    """The variance of more than 2048 rows is that of half of them; 8192 are too many for it."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        rows = x.shape[0]
        if rows > 8192:
            msg = f"no memory for {rows} rows"
            raise MemoryError(msg)
        return super().batch_var(x[: rows // 2] if rows > 2048 else x, mean)
