"""Faults that begin at a number which only the source mentions."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm

_MANY = 5000
_LANES = 3 * 512
_MISSING = -999.0


@fault("large-batch-evaluates", "BN-LARGE-1")
class LargeBatchEvaluates(StepwiseBatchNorm):
    """Batches of 5000 rows, those of a benchmark, are normalised with the running statistics."""

    def train_step(self, x: Any) -> Any:
        y = super().train_step(x)
        return self.evaluate(x) if x.shape[0] == _MANY else y


@fault("lanes-beyond-1536", "BN-LARGE-2")
class LanesBeyond1536(StepwiseBatchNorm):
    """Features beyond the first 1536 are not normalised."""

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        z = super().normalized(x, mean, var)
        return jnp.where(jnp.arange(z.shape[1]) < _LANES, z, x)


@fault("sentinel-is-missing", "BN-NUM-3")
class SentinelIsMissing(StepwiseBatchNorm):
    """The number −999 is taken for a missing value, and replaced by zero."""

    def train_step(self, x: Any) -> Any:
        return super().train_step(jnp.where(x == _MISSING, 0, x))
