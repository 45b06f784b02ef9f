"""Faults in the contract with NNX: types, leaves, identity, sharing."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from impl.faulty.box import Boxed
from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm


@fault("statistics-are-params", "BN-STATE-2", "BN-STATE-3", source="keras-team/keras#6818")
class StatisticsAreParams(StepwiseBatchNorm):
    """The running statistics are nnx.Param, so optimisers update them."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_mean = nnx.Param(self.start_mean(d))
        self.running_var = nnx.Param(self.start_var(d))


@fault("gain-is-variable", "BN-STATE-1", "BN-STATE-3")
class GainIsVariable(StepwiseBatchNorm):
    """gamma is a plain nnx.Variable, so no optimiser ever updates it."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.gamma = nnx.Variable(self.start_gamma(d, rngs))


@fault("random-streams-kept", "BN-STATE-3")
class RandomStreamsKept(StepwiseBatchNorm):
    """The constructor's random streams are kept, so the state has one more key and counter."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.rngs = rngs


@fault("momentum-leaf", "BN-STATE-3", "BN-STATE-4")
class MomentumLeaf(StepwiseBatchNorm):
    """The momentum is a Variable, and so a leaf of the state."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.share = nnx.Variable(jnp.asarray(self.momentum, jnp.float32))

    def moved(self, old: Array, new: Array) -> Array:
        share = self.share[...]
        return share * old + (1 - share) * jax.lax.stop_gradient(new)


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


@fault("training-moves-beta", "BN-STATE-5", diagnosed="training-scales-beta")
class TrainingMovesBeta(StepwiseBatchNorm):
    """A training call centres beta as well."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        self.beta[...] = self.beta[...] * 0.999


@fault("hidden-copy", "BN-STATE-6", "BN-EMA-1", diagnosed="never-stored")
class HiddenCopy(Boxed):
    """The state keeps the first statistics; the moving ones live in a hidden copy."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        stored = (self.running_mean[...], self.running_var[...])
        old_mean, old_var = self.box.contents.get("hidden", stored)
        self.box.contents["hidden"] = self.moved(old_mean, mean), self.moved_var(old_var, var)


@fault("shared-buffers", "BN-STATE-9")
class SharedBuffers(StepwiseBatchNorm):
    """beta and running_mean are built from one array of zeros, which donation deletes twice."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        zeros = jnp.zeros((d,), jnp.float32)
        self.beta = nnx.Param(zeros)
        self.running_mean = nnx.Variable(zeros)


_SHARED: dict[int, nnx.Variable[Any]] = {}


@fault("shared-between-instances", "BN-STATE-7", "BN-IND-2", diagnosed="running-mean-starts-varied")
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


@fault("statistics-as-floats", "BN-STATE-2", "BN-INIT-5")
class StatisticsAsFloats(StepwiseBatchNorm):
    """The running mean is a tuple of Python floats, outside the state."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_mean: Any = (0.0,) * d

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        self.running_mean = tuple(self.moved(jnp.asarray(self.running_mean), mean).tolist())
        self.running_var[...] = self.moved_var(self.running_var[...], var)

    def evaluate(self, x: Any) -> Any:
        return self.output(x, jnp.asarray(self.running_mean), self.running_var[...])


@fault("bare-statistics", "BN-STATE-2")
class BareStatistics(StepwiseBatchNorm):
    """The running statistics are bare arrays, which no filter by Variable type finds."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.running_mean, self.running_var = self.start_mean(d), self.start_var(d)

    def update(self, x: Any, mean: Array, var: Array) -> None:
        del x
        self.running_mean = self.moved(self.running_mean, mean)
        self.running_var = self.moved_var(self.running_var, var)


@fault("offset-is-variable", "BN-STATE-1", "BN-STATE-3")
class OffsetIsVariable(StepwiseBatchNorm):
    """beta is a plain nnx.Variable, so no optimiser ever updates it."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.beta = nnx.Variable(self.start_beta(d))


@fault("momentum-array", "BN-STATE-3", "BN-STATE-4")
class MomentumArray(StepwiseBatchNorm):
    """The momentum is turned into an array, and so into a leaf."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        self.momentum: Any = jnp.asarray(momentum, jnp.float32)
        self.eps = eps
        self.create(d, rngs)


@fault("eps-leaf", "BN-STATE-3", "BN-STATE-4")
class EpsLeaf(StepwiseBatchNorm):
    """eps is a Variable, and so a leaf of the state."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.added = nnx.Variable(jnp.asarray(self.eps, jnp.float32))

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var + self.added[...])


@fault("dtype-drifts", "BN-STATE-5", diagnosed="stored-mean-bfloat16")
class DtypeDrifts(StepwiseBatchNorm):
    """The running mean takes on bfloat16 with the first batch."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        self.running_mean.set_value(self.running_mean[...].astype(jnp.bfloat16))


@fault("shape-drifts", "BN-STATE-5")
class ShapeDrifts(StepwiseBatchNorm):
    """The running mean becomes a row of shape (1, D) with the first batch."""

    def update(self, x: Any, mean: Array, var: Array) -> None:
        super().update(x, mean, var)
        self.running_mean.set_value(self.running_mean[...].reshape(1, -1))


@fault("last-shape-kept", "BN-STATE-8")
class LastShapeKept(StepwiseBatchNorm):
    """The shape of the last batch is kept on the module."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        self.last_shape = tuple(x.shape)
        return super().__call__(x, use_running_average)


@fault("mode-kept", "BN-STATE-8")
class ModeKept(StepwiseBatchNorm):
    """The mode of the last call is kept on the module."""

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        self.training = not use_running_average
        return super().__call__(x, use_running_average)


_GAMMAS: dict[int, nnx.Param[Any]] = {}


@fault("gamma-shared", "BN-STATE-7", diagnosed="gamma-starts-varied")
class GammaShared(StepwiseBatchNorm):
    """All layers of one width share their gamma."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        super().create(d, rngs)
        self.gamma = _GAMMAS.setdefault(d, self.gamma)
