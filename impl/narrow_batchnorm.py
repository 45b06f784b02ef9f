"""The reference with running statistics in bfloat16, for variants and faults of that kind."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from impl.stepwise import Array, StepwiseBatchNorm


class Bfloat16Statistics(StepwiseBatchNorm):
    """The running statistics are stored in bfloat16; everything else is float32."""

    def start_mean(self, d: int) -> Array:
        return jnp.zeros((d,), jnp.bfloat16)

    def start_var(self, d: int) -> Array:
        return jnp.ones((d,), jnp.bfloat16)

    def moved(self, old: Array, new: Array) -> Array:
        return super().moved(old.astype(jnp.float32), new).astype(jnp.bfloat16)

    def evaluate(self, x: Any) -> Any:
        mean, var = (a[...].astype(jnp.float32) for a in (self.running_mean, self.running_var))
        return self.output(x, mean, var)
