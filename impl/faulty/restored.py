"""Faults in what a layer is after it was pickled or deep-copied."""

from __future__ import annotations

import copy
from collections.abc import MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
from flax import nnx

from impl.faulty.record import fault
from impl.stepwise import Array, StepwiseBatchNorm

_MOMENTA: MutableMapping[Any, float] = WeakKeyDictionary()


@fault("momentum-by-identity", "BN-SER-1", "BN-SER-2", "BN-SEQ-1")
class MomentumByIdentity(StepwiseBatchNorm):
    """The constructor stores the momentum in a table of layers; layers not in it use 0.99."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, eps, rngs)
        _MOMENTA[self] = momentum

    def moved(self, old: Array, new: Array) -> Array:
        traced = isinstance(new, jax.core.Tracer)
        momentum = self.momentum if traced else _MOMENTA.get(self, 0.99)
        return momentum * old + (1 - momentum) * jax.lax.stop_gradient(new)


_STARTED: MutableMapping[Any, bool] = WeakKeyDictionary()


@fault("copies-start-over", "BN-SER-1", "BN-SER-2", "BN-SEQ-1")
class CopiesStartOver(StepwiseBatchNorm):
    """A layer that no constructor has seen initialises its statistics at its first update."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        super().__init__(d, momentum, eps, rngs)
        _STARTED[self] = True

    def update(self, x: Any, mean: Array, var: Array) -> None:
        if not isinstance(mean, jax.core.Tracer) and not _STARTED.setdefault(self, False):
            self.running_mean[...] = self.start_mean(len(mean))
            self.running_var[...] = self.start_var(len(var))
            _STARTED[self] = True
        super().update(x, mean, var)


@fault("pickle-drops-momentum", "BN-SER-2")
class PickleDropsMomentum(StepwiseBatchNorm):
    """The pickled state has no momentum; a layer loaded from it uses 0.99."""

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "momentum"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({**state, "momentum": 0.99})


@fault("pickle-drops-statistics", "BN-SER-2")
class PickleDropsStatistics(StepwiseBatchNorm):
    """A layer loaded from a pickle has the parameters, and statistics as if it were new."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        width = len(self.gamma[...])
        self.running_mean[...], self.running_var[...] = (
            self.start_mean(width),
            self.start_var(width),
        )


@fault("pickle-drops-variance", "BN-SER-2")
class PickleDropsVariance(StepwiseBatchNorm):
    """A layer loaded from a pickle has every array but the running variance."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.running_var[...] = self.start_var(len(self.gamma[...]))


@fault("pickle-swaps-statistics", "BN-SER-2")
class PickleSwapsStatistics(StepwiseBatchNorm):
    """The running mean and variance are written in one order and read in the other."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        mean, var = state["running_mean"], state["running_var"]
        super().__setstate__({**state, "running_mean": var, "running_var": mean})


@fault("pickle-reverses-features", "BN-SER-2")
class PickleReversesFeatures(StepwiseBatchNorm):
    """A layer loaded from a pickle has the running mean of its features in reverse."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.running_mean[...] = self.running_mean[...][::-1]


@fault("pickle-in-half-precision", "BN-SER-2")
class PickleInHalfPrecision(StepwiseBatchNorm):
    """Statistics go through float16 on their way into a pickle."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for variable in (self.running_mean, self.running_var):
            variable[...] = variable[...].astype(jnp.float16).astype(jnp.float32)


_PICKLED: MutableMapping[Any, dict[str, Any]] = WeakKeyDictionary()


@fault("pickle-of-the-first-time", "BN-SER-2")
class PickleOfTheFirstTime(StepwiseBatchNorm):
    """The pickled state is made once and cached, so later pickles are out of date."""

    def __getstate__(self) -> dict[str, Any]:
        if self not in _PICKLED:
            _PICKLED[self] = copy.deepcopy(super().__getstate__())
        return _PICKLED[self]


@fault("deepcopy-shares-mean", "BN-SER-2")
class DeepcopySharesMean(StepwiseBatchNorm):
    """A deep copy shares the running mean of the original."""

    def __deepcopy__(self, memo: Any = None) -> Any:
        made = super().__deepcopy__(memo)
        made.running_mean = self.running_mean
        return made


@fault("deepcopy-shares-gamma", "BN-SER-2")
class DeepcopySharesGamma(StepwiseBatchNorm):
    """A deep copy shares the gamma of the original, so a write to one changes both."""

    def __deepcopy__(self, memo: Any = None) -> Any:
        made = super().__deepcopy__(memo)
        made.gamma = self.gamma
        return made


@fault("deepcopy-is-the-layer", "BN-SER-2")
class DeepcopyIsTheLayer(StepwiseBatchNorm):
    """A deep copy is the layer itself."""

    def __deepcopy__(self, memo: Any = None) -> Any:
        return self


@fault("deepcopy-from-the-constructor", "BN-SER-2")
class DeepcopyFromTheConstructor(StepwiseBatchNorm):
    """A deep copy is a new layer with the same hyper-parameters."""

    def __deepcopy__(self, memo: Any = None) -> Any:
        return type(self)(len(self.gamma[...]), self.momentum, self.eps, nnx.Rngs(0))


@fault("deepcopy-forgets-eps", "BN-SER-2")
class DeepcopyForgetsEps(StepwiseBatchNorm):
    """A deep copy has every array, the momentum, and the usual eps."""

    def __deepcopy__(self, memo: Any = None) -> Any:
        made = super().__deepcopy__(memo)
        made.eps = 1e-4
        return made


_COPIES: MutableMapping[Any, bool] = WeakKeyDictionary()


@fault("deepcopy-of-a-copy-shares", "BN-SER-2")
class DeepcopyOfACopyShares(StepwiseBatchNorm):
    """A deep copy of a deep copy shares its running mean."""

    def __deepcopy__(self, memo: Any = None) -> Any:
        made = super().__deepcopy__(memo)
        if _COPIES.get(self, False):
            made.running_mean = self.running_mean
        _COPIES[made] = True
        return made


@fault("names-collide-on-disk", "BN-SER-3")
class NamesCollideOnDisk(StepwiseBatchNorm):
    """Statistics are named statistics.mean and statistics/mean, which is one name on disk."""

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        self.held = nnx.Dict(
            {
                "gamma": nnx.Param(self.start_gamma(d, rngs)),
                "beta": nnx.Param(self.start_beta(d)),
                "statistics.mean": nnx.Variable(self.start_mean(d)),
                "statistics": nnx.Dict(mean=nnx.Variable(self.start_var(d))),
            }
        )

    gamma = property(lambda self: self.held["gamma"])
    beta = property(lambda self: self.held["beta"])
    running_mean = property(lambda self: self.held["statistics.mean"])
    running_var = property(lambda self: self.held["statistics"]["mean"])
