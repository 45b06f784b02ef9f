"""Faulty numbers: clipped, rounded, floored."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("z-clipped", "BN-NUM-3")
class ZClipped(StepwiseBatchNorm):
    """Normalised values are clipped to ±5."""

    def affine(self, z: Array) -> Array:
        return super().affine(jnp.clip(z, -5, 5))


@fault("x-clipped", "BN-NUM-3", "BN-NUM-2", diagnosed="x-clipped@training")
class XClipped(StepwiseBatchNorm):
    """The input is clipped to ±1e4."""

    def train_step(self, x: Any) -> Any:
        return super().train_step(jnp.clip(x, -1e4, 1e4))


@fault("variance-floor", "BN-NUM-2", "BN-TRAIN-7")
class VarianceFloor(StepwiseBatchNorm):
    """Variances below 1e-3 are raised to 1e-3."""

    def inverse_std(self, var: Array) -> Array:
        return super().inverse_std(jnp.maximum(var, 1e-3))


@fault("variance-cap", "BN-NUM-2")
class VarianceCap(StepwiseBatchNorm):
    """Variances above 1e4 are cut to 1e4."""

    def inverse_std(self, var: Array) -> Array:
        return super().inverse_std(jnp.minimum(var, 1e4))


@fault("z-bfloat16", "BN-AFF-1", "BN-NUM-1")
class NormalizedInBfloat16(StepwiseBatchNorm):
    """The normalised values are rounded to bfloat16."""

    def affine(self, z: Array) -> Array:
        return super().affine(z.astype(jnp.bfloat16).astype(jnp.float32))


@fault("sums-in-bfloat16", "BN-NUM-1", "BN-EMA-1")
class SumsInBfloat16(StepwiseBatchNorm):
    """The mean is accumulated in bfloat16."""

    def batch_mean(self, x: Any) -> Array:
        return jnp.mean(jnp.asarray(x, jnp.bfloat16), axis=0).astype(jnp.float32)


@fault("momentum-bfloat16", "BN-EMA-1", "BN-INIT-8")
class MomentumBfloat16(StepwiseBatchNorm):
    """The momentum is rounded to bfloat16."""

    def moved(self, old: Array, new: Array) -> Array:
        kept = jnp.asarray(self.momentum, jnp.bfloat16).astype(jnp.float32)
        return kept * old + (1 - kept) * new


@fault("dithered", "BN-IND-1", diagnosed="varies")
class Dithered(StepwiseBatchNorm):
    """Results are dithered in their last digits, differently at each call."""

    def affine(self, z: Array) -> Array:
        _CALLS.append(None)
        noise = jax.random.uniform(jax.random.key(len(_CALLS)), z.shape, minval=-1, maxval=1)
        return super().affine(z) * (1 + 1e-6 * noise)


_CALLS: list[None] = []


@fault("gamma-bfloat16", "BN-AFF-1", "BN-TRAIN-1")
class GammaInBfloat16(StepwiseBatchNorm):
    """gamma is rounded to bfloat16 before it is applied."""

    def affine(self, z: Array) -> Array:
        return self.gamma[...].astype(jnp.bfloat16).astype(jnp.float32) * z + self.beta[...]


@fault("beta-float16", "BN-AFF-1")
class BetaInFloat16(StepwiseBatchNorm):
    """beta is rounded to float16 before it is added."""

    def affine(self, z: Array) -> Array:
        return self.gamma[...] * z + self.beta[...].astype(jnp.float16).astype(jnp.float32)


@fault("x-float16", "BN-TRAIN-1", "BN-EVAL-1")
class InputInFloat16(StepwiseBatchNorm):
    """The input is rounded to float16 first."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        x = jnp.asarray(x, jnp.float16).astype(jnp.float32)
        return super().__call__(x, use_running_average)


@fault("y-float16", "BN-TRAIN-1", "BN-EVAL-1")
class OutputInFloat16(StepwiseBatchNorm):
    """The result is returned in float16."""

    def affine(self, z: Array) -> Array:
        return super().affine(z).astype(jnp.float16)


@fault("x-two-decimals", "BN-NUM-3", "BN-TRAIN-1", diagnosed="x-2@training")
class InputTwoDecimals(StepwiseBatchNorm):
    """Training rounds its input to two decimals."""

    def train_step(self, x: Any) -> Any:
        return super().train_step(jnp.round(x, 2))


@fault("eps-bfloat16", "BN-EPS-1", "BN-INIT-8", source="google-deepmind/dm-haiku@88152c5")
class EpsInBfloat16(StepwiseBatchNorm):
    """eps is rounded to bfloat16."""

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var + float(jnp.bfloat16(self.eps)))


@fault("momentum-float16", "BN-EMA-1", "BN-INIT-8")
class MomentumInFloat16(StepwiseBatchNorm):
    """The momentum is rounded to float16."""

    def moved(self, old: Array, new: Array) -> Array:
        kept = float(np.float16(self.momentum))
        return kept * old + (1 - kept) * new


@fault("z-clipped-in-training", "BN-NUM-3", "BN-TRAIN-1", diagnosed="z-clipped@training")
class ClippedInTraining(StepwiseBatchNorm):
    """Training clips normalised values to ±6, which shows from N = 38 on."""

    def train_step(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        self.update(x, mean, var)
        return self.affine(jnp.clip(self.normalized(x, mean, var), -6, 6))


@fault("z-clipped-at-8-in-training", "BN-NUM-3", diagnosed="z-clipped@training")
class ZClippedAt8InTraining(StepwiseBatchNorm):
    """Training clips z to ±8, which takes a batch of more than 65 rows to show."""

    def train_step(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        self.update(x, mean, var)
        return self.affine(jnp.clip(self.normalized(x, mean, var), -8, 8))


@fault("z-clipped-at-20", "BN-NUM-3", diagnosed="z-clipped")
class ZClippedAt20(StepwiseBatchNorm):
    """z is clipped to ±20."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        return jnp.clip(super().normalized(x, mean, var), -20, 20)


@fault("outliers-left-out", "BN-NUM-3")
class OutliersLeftOut(StepwiseBatchNorm):
    """Rows more than five standard deviations away do not count for the statistics."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        mean, var = super().statistics(x)
        near = jnp.square(x - mean) <= 25 * var
        count = jnp.maximum(jnp.sum(near, axis=0), 1)
        mean = jnp.sum(jnp.where(near, x, 0), axis=0) / count
        return mean, jnp.sum(jnp.where(near, jnp.square(x - mean), 0), axis=0) / count


@fault(
    "nan-replaced-in-evaluation",
    "BN-NUM-4",
    diagnosed=("nan-is-zero@evaluation", "nan-of-y-is-zero@evaluation"),
)
class NanReplacedInEvaluation(StepwiseBatchNorm):
    """Evaluation replaces NaN by zero."""

    def evaluate(self, x: Any) -> Any:
        return super().evaluate(jnp.nan_to_num(x))


@fault("nan-rows-zeroed", "BN-NUM-4", diagnosed="nan-of-y-is-beta")
class NanRowsZeroed(StepwiseBatchNorm):
    """NaN in the result is replaced by beta, in both modes."""

    def affine(self, z: Array) -> Array:
        return super().affine(jnp.where(jnp.isnan(z), 0, z))
