"""A correct layer with zero-debiased averages, divided into steps that can be overridden."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from impl.stepwise import Array, StepwiseBatchNorm


class DebiasedBatchNorm(StepwiseBatchNorm):
    """Zero-debiased averages: after t updates Σ (1−m)·mᵗ⁻ʲ·b_j / (1−mᵗ), from a count in the state.

    The sums are never stored: a' = a + (1−m)/(1−mᵗ)·(b − a) is the same average.
    """

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.count = nnx.Variable(self.start_count())

    def start_count(self) -> Array:
        return jnp.zeros((), jnp.int32)

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        self.count[...] = self.count[...] + 1

    def moved(self, old: Array, new: Array) -> Array:
        return old + self.weight(self.count[...] + 1) * (jax.lax.stop_gradient(new) - old)

    def weight(self, updates: Array) -> Array:
        """Return the weight of the batch in the t-th update, (1−m)/(1−mᵗ).

        It is at most 1: rounded above 1, a' would pass b, and a variance of 0 become negative.
        """
        return jnp.minimum((1 - self.momentum) / (1 - self.momentum**updates), 1)
