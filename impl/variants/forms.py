"""Other ways of applying, updating and storing the statistics."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from impl.stepwise import Array, StepwiseBatchNorm
from impl.variants.record import variant

variant("stepwise")(StepwiseBatchNorm)


@variant("fused-scale-shift")
class FusedScaleShift(StepwiseBatchNorm):
    """y = x·s + b with s = γ/√(v+ε) and b = β − μ·s, as inference engines do it."""

    def output(self, x: Any, mean: Array, var: Array) -> Array:
        scale = self.gamma[...] * jax.lax.rsqrt(var + self.eps)
        return x * scale + (self.beta[...] - mean * scale)


@variant("divided")
class Divided(StepwiseBatchNorm):
    """γ·(x−μ) is computed first, and then divided by the root."""

    def output(self, x: Any, mean: Array, var: Array) -> Array:
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]


@variant("delta-average")
class DeltaAverage(StepwiseBatchNorm):
    """The moving average as r + (1−m)·(b−r)."""

    def moved(self, old: Array, new: Array) -> Array:
        return old + (1 - self.momentum) * (jax.lax.stop_gradient(new) - old)


@variant("average-from-the-nearer-end")
class AverageFromTheNearerEnd(StepwiseBatchNorm):
    """The moving average from the end that weighs more, as torch.lerp computes it."""

    def moved(self, old: Array, new: Array) -> Array:
        weight, new = 1 - self.momentum, jax.lax.stop_gradient(new)
        if weight < 0.5:
            return old + weight * (new - old)
        return new - (1 - weight) * (new - old)


@variant("fused-average")
class FusedAverage(StepwiseBatchNorm):
    """The moving average in one compiled expression, where the compiler may fuse multiply-adds."""

    def moved(self, old: Array, new: Array) -> Array:
        return _fused(self.momentum, old, jax.lax.stop_gradient(new))


@jax.jit
def _fused(momentum: float, old: Array, new: Array) -> Array:
    return momentum * old + (1 - momentum) * new


@variant("mode-as-integer")
class ModeAsInteger(StepwiseBatchNorm):
    """The flag is cut to an integer before it is looked at."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return self.evaluate(x) if int(use_running_average) else self.train_step(x)


@variant("mode-equal-to-one")
class ModeEqualToOne(StepwiseBatchNorm):
    """The flag evaluates where it equals 1."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return self.evaluate(x) if use_running_average == 1 else self.train_step(x)


@variant("mode-by-threshold")
class ModeByThreshold(StepwiseBatchNorm):
    """The flag evaluates from one half on; a flag that is NaN is refused."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        if use_running_average != use_running_average:  # noqa: PLR0124  NaN
            msg = "the flag is NaN"
            raise ValueError(msg)
        return self.evaluate(x) if bool(use_running_average >= 0.5) else self.train_step(x)


@variant("float32-momentum")
class Float32Momentum(StepwiseBatchNorm):
    """1 − m is taken in float32."""

    def moved(self, old: Array, new: Array) -> Array:
        kept = jnp.float32(self.momentum)
        return kept * old + (jnp.float32(1) - kept) * jax.lax.stop_gradient(new)


class MovingStatistic(nnx.BatchStat[Any]):
    """A custom Variable type for statistics."""


@variant("own-variable-type")
class OwnVariableType(StepwiseBatchNorm):
    """Statistics in a subclass of BatchStat, written with set_value."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_mean = MovingStatistic(self.start_mean(d))
        self.running_var = MovingStatistic(self.start_var(d))

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        self.running_mean.set_value(self.moved(self.running_mean.get_value(), mean))
        self.running_var.set_value(self.moved_var(self.running_var.get_value(), var))


@variant("selected-by-where")
class SelectedByWhere(StepwiseBatchNorm):
    """One path for both modes: the flag selects values instead of branches."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        keep = jnp.asarray(use_running_average, bool)
        old_mean, old_var = self.running_mean[...], self.running_var[...]
        batch_mean, batch_var = self.statistics(x)
        self.running_mean[...] = jnp.where(keep, old_mean, self.moved(old_mean, batch_mean))
        self.running_var[...] = jnp.where(keep, old_var, self.moved_var(old_var, batch_var))
        mean = jnp.where(keep, old_mean, batch_mean)
        return self.output(x, mean, jnp.where(keep, old_var, batch_var))


@variant("two-dimensional")
class TwoDimensional(StepwiseBatchNorm):
    """Statistics are rows of shape (1, D) in the computation, and (D,) in the state."""

    def statistics(self, x: Any) -> tuple[Array, Array]:
        mean = jnp.mean(x, axis=0, keepdims=True)
        return mean, jnp.mean(jnp.square(x - mean), axis=0, keepdims=True)

    def moved(self, old: Array, new: Array) -> Array:
        return super().moved(old, new[0])


@variant("gain-in-the-root")
class GainPremultiplied(StepwiseBatchNorm):
    """The centered input is multiplied once, by γ/√(v+ε)."""

    def output(self, x: Any, mean: Array, var: Array) -> Array:
        return (x - mean) * (self.gamma[...] * jax.lax.rsqrt(var + self.eps)) + self.beta[...]


@variant("numpy-hyperparameters")
class NumpyHyperparameters(StepwiseBatchNorm):
    """Momentum and eps are kept as NumPy scalars."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        kept: Any = np.float32(momentum)
        added: Any = np.float32(eps)
        super().__init__(d, kept, added, rngs)


@variant("written-by-nnx-update")
class WrittenByUpdate(StepwiseBatchNorm):
    """Statistics are written to the leaves of nnx.state."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        state = nnx.state(self, nnx.Not(nnx.Param))
        state["running_mean"][...] = self.moved(self.running_mean[...], mean)
        state["running_var"][...] = self.moved_var(self.running_var[...], var)
        nnx.update(self, state)
