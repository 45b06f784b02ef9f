"""Faulty numbers: clipped, rounded, floored."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("z-clipped", "BN-NUM-3")
class ZClipped(StepwiseBatchNorm):
    """Normalised values are clipped to ±5."""

    def affine(self, z: Array) -> Array:
        return super().affine(jnp.clip(z, -5, 5))


@fault("x-clipped", "BN-NUM-3", "BN-NUM-2")
class XClipped(StepwiseBatchNorm):
    """The input is clipped to ±1e4."""

    def train_step(self, x: Any) -> Any:
        return super().train_step(jnp.clip(x, -1e4, 1e4))


@fault("variance-floor", "BN-NUM-2", "BN-TRAIN-7")
class VarianceFloor(StepwiseBatchNorm):
    """Variances below 1e-3 are raised to it."""

    def inverse_std(self, var: Array) -> Array:
        return super().inverse_std(jnp.maximum(var, 1e-3))


@fault("variance-cap", "BN-NUM-2")
class VarianceCap(StepwiseBatchNorm):
    """Variances above 1e4 are cut to it."""

    def inverse_std(self, var: Array) -> Array:
        return super().inverse_std(jnp.minimum(var, 1e4))


@fault("gamma-bfloat16", "BN-AFF-1", "BN-NUM-1")
class GammaBfloat16(StepwiseBatchNorm):
    """The normalised values are rounded to bfloat16."""

    def affine(self, z: Array) -> Array:
        return super().affine(z.astype(jnp.bfloat16).astype(jnp.float32))


@fault("sums-in-float16", "BN-NUM-1", "BN-EMA-1")
class SumsInFloat16(StepwiseBatchNorm):
    """The mean is accumulated in bfloat16."""

    def batch_mean(self, x: Any) -> Array:
        return jnp.mean(jnp.asarray(x, jnp.bfloat16), axis=0).astype(jnp.float32)


@fault("momentum-bfloat16", "BN-EMA-1", "BN-INIT-8")
class MomentumBfloat16(StepwiseBatchNorm):
    """The momentum is rounded to bfloat16."""

    def moved(self, old: Array, new: Array) -> Array:
        kept = jnp.asarray(self.momentum, jnp.bfloat16).astype(jnp.float32)
        return kept * old + (1 - kept) * new


@fault("dithered", "BN-IND-1", "BN-EVAL-5")
class Dithered(StepwiseBatchNorm):
    """Results are dithered in their last digits, differently at each call."""

    def affine(self, z: Array) -> Array:
        _CALLS.append(None)
        noise = jax.random.uniform(jax.random.key(len(_CALLS)), z.shape, minval=-1, maxval=1)
        return super().affine(z) * (1 + 1e-6 * noise)


_CALLS: list[None] = []
