"""Faults in the contract with NNX: types, leaves, identity, sharing."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("statistics-are-params", "BN-STATE-2", "BN-STATE-3", source="keras-team/keras#6818")
class StatisticsAreParams(StepwiseBatchNorm):
    """The running statistics are nnx.Param, so optimisers move them."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_mean = nnx.Param(self.start_mean(d))
        self.running_var = nnx.Param(self.start_var(d))


@fault("gain-is-variable", "BN-STATE-1", "BN-STATE-3")
class GainIsVariable(StepwiseBatchNorm):
    """gamma is a plain nnx.Variable, so no optimiser ever moves it."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.gamma = nnx.Variable(self.start_gamma(d, rngs))


@fault("momentum-leaf", "BN-STATE-3", "BN-STATE-4")
class MomentumLeaf(StepwiseBatchNorm):
    """The momentum is a Variable, and so a leaf of the state."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.share = nnx.Variable(jnp.asarray(self.momentum, jnp.float32))

    def moved(self, old: Array, new: Array) -> Array:
        return self.share[...] * old + (1 - self.share[...]) * new


@fault("call-counter-leaf", "BN-STATE-3", "BN-STATE-8")
class CallCounterLeaf(StepwiseBatchNorm):
    """A call counter appears in the state with the first training call."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        if not hasattr(self, "calls"):
            self.calls = nnx.Variable(jnp.zeros((), jnp.int32))
        self.calls[...] += 1


@fault("fresh-variable", "BN-STATE-5")
class FreshVariable(StepwiseBatchNorm):
    """Each update binds a new Variable, so references held elsewhere go stale."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        self.running_mean = nnx.Variable(self.moved(self.running_mean[...], mean))
        self.running_var = nnx.Variable(self.moved_var(self.running_var[...], var))


@fault("training-moves-beta", "BN-STATE-5")
class TrainingMovesBeta(StepwiseBatchNorm):
    """A training call centres beta as well."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        self.beta[...] = self.beta[...] * 0.999


@fault("static-statistics", "BN-STATE-2", "BN-STATE-6")
class StaticStatistics(StepwiseBatchNorm):
    """The state keeps the first statistics; the moving ones live in a hidden copy."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_mean = nnx.Param(self.start_mean(d))
        self.hidden: Any = nnx.static({})

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        hidden = dict(self.hidden) or {"mean": self.running_mean[...], "var": self.running_var[...]}
        self.hidden = nnx.static(
            {
                "mean": self.moved(hidden["mean"], mean),
                "var": self.moved_var(hidden["var"], var),
            }
        )


@fault("shared-buffers", "BN-STATE-7")
class SharedBuffers(StepwiseBatchNorm):
    """beta and running_mean are built from one array of zeros, which donation deletes twice."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        zeros = jnp.zeros((d,), jnp.float32)
        self.beta = nnx.Param(zeros)
        self.running_mean = nnx.Variable(zeros)


_SHARED: dict[int, nnx.Variable[Any]] = {}


@fault("shared-between-instances", "BN-STATE-7", "BN-IND-2")
class SharedBetweenInstances(StepwiseBatchNorm):
    """All layers of one width share their running mean."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_mean = _SHARED.setdefault(d, self.running_mean)


@fault("python-counter", "BN-STATE-8", "BN-JIT-3")
class PythonCounter(StepwiseBatchNorm):
    """A Python counter on the module changes the graph definition at every call."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.calls = 0

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        self.calls += 1
        return super().__call__(x, use_running_average)


@fault("statistics-outside-variables", "BN-STATE-2", "BN-STATE-3", "BN-JIT-2", "BN-VMAP-1")
class StatisticsOutsideVariables(StepwiseBatchNorm):
    """The running mean is moved in a NumPy attribute, outside the state."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_mean = nnx.static(self.start_mean(d))
