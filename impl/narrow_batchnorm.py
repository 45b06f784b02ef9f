"""The reference with running statistics of 16 bits, a base of variants and faults."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from impl.stepwise import Array, StepwiseBatchNorm


class Bfloat16Statistics(StepwiseBatchNorm):
    """The running statistics are stored in bfloat16; everything else is float32."""

    stored: Any = jnp.bfloat16

    def start_mean(self, d: int) -> Array:
        return jnp.zeros((d,), self.stored)

    def start_var(self, d: int) -> Array:
        return jnp.ones((d,), self.stored)

    def moved(self, old: Array, new: Array) -> Array:
        return super().moved(old.astype(jnp.float32), new).astype(self.stored)

    def evaluate(self, x: Any) -> Any:
        mean, var = (a[...].astype(jnp.float32) for a in (self.running_mean, self.running_var))
        return self.output(x, mean, var)


class Float16Statistics(Bfloat16Statistics):
    """The running statistics are stored in float16; everything else is float32."""

    stored = jnp.float16
