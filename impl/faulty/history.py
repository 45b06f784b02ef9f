"""Faults that depend on what happened before, or on how the layer is run."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm

_FIRST_SEEN: dict[tuple[int, ...], Array] = {}


@fault("cached-by-shape", "BN-IND-2", "BN-TRAIN-1")
class CachedByShape(StepwiseBatchNorm):
    """The batch mean of the first batch of a shape is kept for all later ones."""

    def batch_mean(self, x: Any) -> Array:
        mean = super().batch_mean(x)
        if isinstance(mean, jax.core.Tracer):
            return mean
        return _FIRST_SEEN.setdefault(np.shape(x), mean)


@fault("second-call-differs", "BN-IND-2")
class SecondCallDiffers(StepwiseBatchNorm):
    """From the third call on, training uses the unbiased variance."""

    calls = 0

    def batch_var(self, x: Any, mean: Array) -> Array:
        self.calls += 1
        var = super().batch_var(x, mean)
        rows = x.shape[0]
        return var * (rows / (rows - 1)) if self.calls > 2 and rows > 1 else var


@fault("leaks-under-jit", "BN-JIT-1", "BN-JIT-3")
class FloatsUnderJit(StepwiseBatchNorm):
    """The eps is looked up by the value of the variance, which jit does not have."""

    def inverse_std(self, var: Array) -> Array:
        if float(var[0]) < 0:
            return jnp.zeros_like(var)
        return super().inverse_std(var)


@fault("jit-uses-global-mean", "BN-JIT-1", "BN-VMAP-1")
class GlobalMeanUnderJit(StepwiseBatchNorm):
    """The compiled path subtracts one mean for all features."""

    def batch_mean(self, x: Any) -> Array:
        mean = super().batch_mean(x)
        if isinstance(mean, jax.core.Tracer):
            return jnp.full_like(mean, jnp.mean(mean))
        return mean


@fault("jit-drops-update", "BN-JIT-2")
class UpdateDroppedUnderJit(StepwiseBatchNorm):
    """Under jit the running statistics are not written."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if not isinstance(mean, jax.core.Tracer):
            super().update(x, mean, var)
