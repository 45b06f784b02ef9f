"""Layers that count their updates, and declare what the count changes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from conformance.requirements.deviations import Deviation
from impl.debiased import DebiasedBatchNorm
from impl.stepwise import Array
from impl.variants.record import variant


@variant("zero-debiased-declared", Deviation.ZERO_DEBIASED_STATISTICS, count="count")
class ZeroDebiased(DebiasedBatchNorm):
    """Adam's averages: divided by 1−mᵗ, so the first batch replaces the initial values."""


@variant("zero-debiased-sums-declared", Deviation.ZERO_DEBIASED_STATISTICS, count="count")
class ZeroDebiasedSums(DebiasedBatchNorm):
    """The sum is recovered from the average, updated, and divided by 1−mᵗ."""

    def moved(self, old: Array, new: Array) -> Array:
        count = self.count[...]
        hidden = old * (1 - self.momentum**count)
        hidden = self.momentum * hidden + (1 - self.momentum) * jax.lax.stop_gradient(new)
        return hidden / (1 - self.momentum ** (count + 1))


@variant("first-batch-declared", Deviation.FIRST_BATCH_REPLACES, count="count")
class FirstBatch(DebiasedBatchNorm):
    """The first batch replaces the running statistics; later ones have the weight 1−m."""

    def weight(self, updates: Array) -> Array:
        return jnp.where(updates == 1, 1, 1 - self.momentum)


@variant(
    "first-batch-ema-declared",
    Deviation.FIRST_BATCH_REPLACES,
    Deviation.EMA_NORMALISED_TRAINING,
    Deviation.GRADIENT_THROUGH_STATISTICS,
    count="count",
)
class FirstBatchNormalised(FirstBatch):
    """Training normalizes with the averages, from the first batch on."""

    def train_step(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        used = self.moved(self.running_mean[...], mean), self.moved_var(self.running_var[...], var)
        self.update(x, mean, var)
        return self.output(x, *used)

    def moved(self, old: Array, new: Array) -> Array:
        return old + self.weight(self.count[...] + 1) * (new - old)
