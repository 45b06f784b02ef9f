"""Faulty batch statistics."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault(
    "last-axis",
    "BN-TRAIN-1",
    "BN-TRAIN-3",
    source="axis confusion: layer normalization",
    diagnosed="layer-norm",
)
class LastAxis(StepwiseBatchNorm):
    """Each row is normalised over its features, which is layer normalization."""

    def train_step(self, x: Any) -> Any:
        super().train_step(x)
        mean = jnp.mean(x, axis=1, keepdims=True)
        var = jnp.mean(jnp.square(x - mean), axis=1, keepdims=True)
        return self.output(x, mean, var)


@fault("last-axis-when-square", "BN-SHAPE-1", "BN-TRAIN-1")
class LastAxisWhenSquare(StepwiseBatchNorm):
    """Where N equals D the statistics are taken over the wrong axis."""

    def batch_mean(self, x: Any) -> Array:
        return jnp.mean(x, axis=1 if x.shape[0] == x.shape[1] > 1 else 0)


@fault("both-axes", "BN-TRAIN-3", "BN-TRAIN-1")
class BothAxes(StepwiseBatchNorm):
    """One mean for all features."""

    def batch_mean(self, x: Any) -> Array:
        return jnp.full((x.shape[1],), jnp.mean(x))


@fault("both-axes-by-var", "BN-TRAIN-3", "BN-TRAIN-1")
class BothAxesByVar(StepwiseBatchNorm):
    """One mean for all features, while the variance is that of each."""

    def batch_mean(self, x: Any) -> Array:
        return jnp.full((x.shape[1],), jnp.mean(x))

    def batch_var(self, x: Any, _: Array) -> Array:
        return jnp.var(x, axis=0)


@fault("unbiased-normalization", "BN-TRAIN-1", "BN-TRAIN-5", "BN-TRAIN-10")
class UnbiasedNormalization(StepwiseBatchNorm):
    """The batch is normalised with the unbiased variance, N/(N−1)."""

    def output(self, x: Any, mean: Array, var: Array) -> Array:
        rows = x.shape[0]
        if rows > 1 and var is not self.running_var[...]:
            var = var * (rows / (rows - 1))
        return super().output(x, mean, var)


@fault("uncentred-variance", "BN-TRAIN-6", "BN-TRAIN-1")
class UncentredVariance(StepwiseBatchNorm):
    """The variance is the mean of squares, without subtracting the mean."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        del mean
        return jnp.mean(jnp.square(x), axis=0)


@fault(
    "one-pass",
    "BN-NUM-1",
    source="google/flax#1491, google/objax#182",
    diagnosed="one-pass-variance",
)
class OnePass(StepwiseBatchNorm):
    """The variance is computed in one pass, which loses its digits at large offsets."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        return jnp.maximum(0.0, jnp.mean(jnp.square(x), axis=0) - jnp.square(mean))


@fault(
    "absolute-one-pass",
    "BN-NUM-1",
    source="tensorflow/tensorflow#3290",
    diagnosed="one-pass-variance",
)
class AbsoluteOnePass(StepwiseBatchNorm):
    """A negative one-pass variance is hidden by its absolute value."""

    def batch_var(self, x: Any, mean: Array) -> Array:
        return jnp.abs(jnp.mean(jnp.square(x), axis=0) - jnp.square(mean))


@fault("normalizes-with-updated", "BN-TRAIN-1", "BN-TRAIN-2", source="patrick-kidger/equinox#659")
class NormalizesWithUpdated(StepwiseBatchNorm):
    """Training normalises with the freshly updated running statistics."""

    def train_step(self, x: Any) -> Any:
        super().train_step(x)
        return self.evaluate(x)


@fault("normalizes-with-running", "BN-TRAIN-1", "BN-TRAIN-2", "BN-TRAIN-8", "BN-TRAIN-9")
class NormalizesWithRunning(StepwiseBatchNorm):
    """Training normalises with the running statistics and updates them afterwards."""

    def train_step(self, x: Any) -> Any:
        y = self.evaluate(x)
        super().train_step(x)
        return y


@fault("first-row-left-out", "BN-TRAIN-4", "BN-TRAIN-1")
class FirstRowLeftOut(StepwiseBatchNorm):
    """The first row is left out of the mean."""

    def batch_mean(self, x: Any) -> Array:
        return jnp.mean(x[1:], axis=0) if x.shape[0] > 1 else jnp.mean(x, axis=0)


@fault("nan-guard-for-all", "BN-NUM-4", diagnosed="batch-zeroed-if-not-finite@training")
class NanGuardForAll(StepwiseBatchNorm):
    """If anything is not finite the whole batch is replaced by zeros."""

    def train_step(self, x: Any) -> Any:
        return super().train_step(jnp.where(jnp.all(jnp.isfinite(x)), x, 0))


@fault("nan-to-num", "BN-NUM-4", diagnosed="nan-is-zero@training")
class NanToNum(StepwiseBatchNorm):
    """NaN in the input is replaced by zero."""

    def train_step(self, x: Any) -> Any:
        return super().train_step(jnp.where(jnp.isnan(x), 0, x))


@fault("gain-before-statistics", "BN-EMA-7", "BN-EMA-1", diagnosed="output-mean-stored")
class GainBeforeStatistics(StepwiseBatchNorm):
    """The running mean follows the output instead of the input."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, jnp.mean(self.output(x, mean, var), axis=0), var)


@fault("mean-bessel", "BN-TRAIN-5", "BN-TRAIN-1", "BN-EMA-1")
class MeanBessel(StepwiseBatchNorm):
    """The mean, too, is divided by N−1."""

    def batch_mean(self, x: Any) -> Array:
        return jnp.sum(x, axis=0) / max(x.shape[0] - 1, 1)


@fault("mean-blended", "BN-TRAIN-2", "BN-TRAIN-1")
class MeanBlended(StepwiseBatchNorm):
    """Training subtracts the batch mean with a thousandth of the running mean in it."""

    def train_step(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        blended = 0.999 * mean + 0.001 * self.running_mean[...]
        self.update(x, mean, var)
        return self.output(x, blended, var)


@fault("duplicates-once", "BN-TRAIN-1")
class DuplicatesOnce(StepwiseBatchNorm):
    """Equal rows count once in the statistics."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        equal = jnp.all(x[:, None] == x[None], axis=2)
        share = 1 / jnp.sum(equal, axis=1, keepdims=True)
        share = share / jnp.sum(share)
        mean = jnp.sum(share * x, axis=0)
        return mean, jnp.sum(share * jnp.square(x - mean), axis=0)


@fault(
    "nan-to-num-of-y",
    "BN-NUM-4",
    diagnosed=("nan-of-y-is-zero@training", "nan-to-num-of-y@training"),
)
class NanToNumOfY(StepwiseBatchNorm):
    """NaN in the result of training is replaced by zero."""

    def train_step(self, x: Any) -> Any:
        return jnp.nan_to_num(super().train_step(x))


@fault(
    "small-batch-uses-running",
    "BN-TRAIN-2",
    "BN-TRAIN-8",
    "BN-TRAIN-1",
    diagnosed="normalizes-with-updated@rows<=3",
)
class SmallBatchUsesRunning(StepwiseBatchNorm):
    """Batches of fewer than four rows are normalised with the running statistics."""

    def train_step(self, x: Any) -> Any:
        y = super().train_step(x)
        return self.evaluate(x) if x.shape[0] < 4 else y
