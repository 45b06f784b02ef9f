"""A NumPy model of the running statistics over many calls, with the bound it may be off by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conformance import bounds, conventions, oracle
from conformance.bounds import Accuracy, Bound
from conformance.case import State
from conformance.checks import check_within
from conformance.implementation import Config

Float64 = npt.NDArray[np.float64]


@dataclass(slots=True)
class _Tracked:
    """One running statistic: its exact value, and the error accumulated so far, (D,)."""

    value: Float64
    allowed: Float64
    strict: Float64

    @classmethod
    def starting(cls, values: npt.NDArray[np.float32]) -> _Tracked:
        exact = np.zeros(values.shape)
        return cls(values.astype(np.float64), exact, exact)

    def update(self, momentum: float, new: Float64, e_new: Bound) -> None:
        """Apply one step: e_k = m·e_{k−1} + (1−m)·e_new + 5u·max(|old|, |new|)."""

        def step(e_old: Float64, e: Float64) -> Float64:
            return bounds.ema_error(momentum, e_old, e, self.value, new)

        self.allowed, self.strict = (
            step(self.allowed, e_new.allowed),
            step(self.strict, e_new.strict),
        )
        self.value = oracle.ema(momentum, self.value, new)


@dataclass(slots=True)
class Model:
    """What the running statistics must be after any number of training calls."""

    config: Config
    accuracy: Accuracy
    mean: _Tracked
    var: _Tracked
    calls: int = 0

    @classmethod
    def starting(cls, config: Config, state: State, accuracy: Accuracy) -> Model:
        """Return the model of a layer that holds ``state``."""
        mean, var = state.running_mean, state.running_var
        return cls(config, accuracy, _Tracked.starting(mean), _Tracked.starting(var))

    def train(self, x: npt.NDArray[np.float32], *, inaccurate_by: Bound | None = None) -> None:
        """Follow one training call on x, whose elements may be off by some bound, (N, D)."""
        mean, var = oracle.statistics(x)
        e_mean, e_var = bounds.statistics(x, self.accuracy)
        if inaccurate_by is not None:
            more_mean, more_var = bounds.perturbed_statistics(var, inaccurate_by)
            e_mean, e_var = e_mean + more_mean, e_var + more_var
        self.mean.update(self.config.momentum, mean, e_mean)
        share = conventions.share_stored(len(x))
        self.var.update(self.config.momentum, var * share, e_var.scaled(share))
        self.calls += 1

    def check_statistics(self, state: State) -> None:
        """Check both running statistics of the layer against the model."""
        after = f"after {self.calls} training calls"
        for name, got, tracked in (
            ("running_mean", state.running_mean, self.mean),
            ("running_var", state.running_var, self.var),
        ):
            bound = Bound.of(tracked.strict, tracked.allowed)
            check_within(f"{name} {after}", got, tracked.value, bound)
