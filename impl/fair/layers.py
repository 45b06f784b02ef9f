"""Layers that use the room that the problem leaves."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from impl.fair.record import fair
from impl.stepwise import Array, StepwiseBatchNorm


@fair("average-from-the-new-value", "BN-EMA-8")
class AverageFromTheNewValue(StepwiseBatchNorm):
    """The moving average as new − m·(new − old), which rounds where m is 1."""

    def moved(self, old: Array, new: Array) -> Array:
        new = jax.lax.stop_gradient(new)
        return new - self.momentum * (new - old)


@fair("modes-blended", "BN-NUM-4")
class ModesBlended(StepwiseBatchNorm):
    """f·evaluation + (1−f)·training without a branch, where 0·NaN is NaN."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        keep = jnp.asarray(use_running_average, jnp.float32)
        mean, var = self.statistics(x)
        old_mean, old_var = self.running_mean[...], self.running_var[...]
        used = keep * old_mean + (1 - keep) * mean, keep * old_var + (1 - keep) * var
        weight = (1 - keep) * (1 - self.momentum)
        self.running_mean[...] = old_mean + weight * (jax.lax.stop_gradient(mean) - old_mean)
        self.running_var[...] = old_var + weight * (jax.lax.stop_gradient(var) - old_var)
        return self.output(x, *used)


@fair("not-finite-refused", "BN-NUM-4")
class NotFiniteRefused(StepwiseBatchNorm):
    """A batch that is not finite is refused, where its values are known."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if not isinstance(x, jax.core.Tracer) and not np.isfinite(np.asarray(x)).all():
            msg = "x is not finite"
            raise ValueError(msg)
        return super().__call__(x, use_running_average)


@fair("one-array-of-zeros", "BN-STATE-9", "BN-JIT-7")
class OneArrayOfZeros(StepwiseBatchNorm):
    """beta and running_mean start as one array."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        zeros = jnp.zeros((d,), jnp.float32)
        self.beta, self.running_mean = nnx.Param(zeros), nnx.Variable(zeros)


@fair("rows-in-any-order", "BN-IND-1")
class RowsInAnyOrder(StepwiseBatchNorm):
    """Each training call sums the rows in another order."""

    def batch_mean(self, x: Any) -> Array:
        order = list(range(x.shape[0]))
        random.SystemRandom().shuffle(order)
        total = jnp.zeros(x.shape[1:], jnp.float32)
        for row in order:
            total = total + x[row]
        return total / x.shape[0]


@fair("holds-a-function", "BN-SER-2")
class HoldsAFunction(StepwiseBatchNorm):
    """A local function is an attribute, so the layer cannot be pickled."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.inverse_root: Callable[[Array, float], Array] = lambda var, eps: (
            1 / jnp.sqrt(var + eps)
        )

    def inverse_std(self, var: Array) -> Array:
        return self.inverse_root(var, self.eps)


@fair("training-counted-in-python", "BN-STATE-8", "BN-JIT-3")
class TrainingCountedInPython(StepwiseBatchNorm):
    """A Python attribute counts the training calls."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.calls = 0

    def train_step(self, x: Any) -> Any:
        self.calls += 1
        return super().train_step(x)
