"""Layers that follow and declare another known convention: each deviates and violates nothing."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.requirements.deviations import Deviation
from impl.stepwise import Array, StepwiseBatchNorm
from impl.variants.record import variant


@variant("new-momentum-declared", Deviation.MOMENTUM_OF_NEW_VALUE)
class NewMomentum(StepwiseBatchNorm):
    """Momentum is the weight of the new value."""

    def moved(self, old: Array, new: Array) -> Array:
        return (1 - self.momentum) * old + self.momentum * jax.lax.stop_gradient(new)


@variant("unbiased-declared", Deviation.UNBIASED_RUNNING_VARIANCE)
class UnbiasedStored(StepwiseBatchNorm):
    """The running variance follows v·N/(N−1), and v itself for a single row."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        rows = x.shape[0]
        super().update(x, mean, var * (rows / max(rows - 1, 1)))


@variant("ema-normalised-declared", Deviation.EMA_NORMALISED_TRAINING)
class EmaNormalised(StepwiseBatchNorm):
    """Training normalizes with the running statistics that it has just updated."""

    def train_step(self, x: Any) -> Any:
        mean, var = self.statistics(x)
        used = self.moved(self.running_mean[...], mean), self.moved_var(self.running_var[...], var)
        self.update(x, mean, var)
        return self.output(x, *used)


@variant("gradient-through-declared", Deviation.GRADIENT_THROUGH_STATISTICS)
class GradientThrough(StepwiseBatchNorm):
    """The running statistics are updated without stopping the gradient."""

    def moved(self, old: Array, new: Array) -> Array:
        return self.momentum * old + (1 - self.momentum) * new


@variant("single-row-refused-declared", Deviation.SINGLE_ROW_REFUSED)
class SingleRowRefused(StepwiseBatchNorm):
    """A training call on one row raises before anything changes."""

    def train_step(self, x: Any) -> Any:
        if x.shape[0] == 1:
            msg = "training needs more than one row"
            raise ValueError(msg)
        return super().train_step(x)


class Plain(StepwiseBatchNorm):
    """The reference, for a forward function that takes any true flag for evaluation."""


def truthy_forward(seed: Any, x: Any, use_running_average: Any) -> Any:
    """Return the flat result, (N·D,), of a fresh layer that evaluates if the flag is true."""
    x = jnp.asarray(x)
    layer = Plain(d=x.shape[1], momentum=0.9, eps=1e-5, rngs=nnx.Rngs(int(seed)))
    return layer(x, use_running_average=bool(use_running_average)).ravel()
