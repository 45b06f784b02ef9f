"""A NumPy model of the running statistics over many calls, with its error bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.sources import formula
from conformance.numerics.state import State
from conformance.properties.support.checks import check_same, check_within

Float64 = npt.NDArray[np.float64]


@formula
def as_integer(count: Any) -> int:
    """Return a number of updates."""
    return int(count)


def check_count(state: State, expected: Any, of: str = "") -> None:
    """Check the number of updates that a layer reports, if it has to report it.

    Args:
        state: The state that was read.
        expected: The number of updates; None for any.
        of: What is appended to the name of the count.
    """
    if expected is not None and state.count is not None:
        check_same(f"count{of}", as_integer(state.count), as_integer(expected))


@dataclass(slots=True)
class _Tracked:
    """One running statistic: its exact value, and the error accumulated so far, (D,)."""

    value: Float64
    allowed: Float64
    strict: Float64

    @classmethod
    def from_values(cls, values: npt.NDArray[np.float32]) -> _Tracked:
        exact = np.zeros(values.shape)
        return cls(values.astype(np.float64), exact, exact)

    def update(
        self,
        momentum: float,
        new: Float64,
        e_new: Bound,
        count: Any = None,
        conventions: Conventions = STRICT,
    ) -> None:
        """Apply one step: e_k = m·e_{k−1} + (1−m)·e_new + 6u·max(|old|, |new|)."""

        def step(e_old: Float64, e: Float64) -> Float64:
            return bounds.ema_error(momentum, e_old, e, self.value, new, count, conventions)

        same = self.allowed is self.strict and e_new.allowed is e_new.strict
        self.strict, before = step(self.strict, e_new.strict), self.allowed
        self.allowed = self.strict if same else step(before, e_new.allowed)
        self.value = oracle.ema(conventions.weight_of_old(momentum, count), self.value, new)


@dataclass(slots=True)
class RunningStatsModel:
    """Follows the running statistics over any number of training calls.

    Attributes:
        config: Momentum and ε of the layer.
        conventions: The conventions that the layer declares.
        mean: The running mean, with its error so far.
        var: The running variance, with its error so far.
        count: The number of updates behind them; None where it does not matter.
        calls: The training calls that were followed.
    """

    config: Config
    conventions: Conventions
    mean: _Tracked
    var: _Tracked
    count: Any = None
    calls: int = 0

    @classmethod
    def from_state(
        cls, config: Config, state: State, conventions: Conventions
    ) -> RunningStatsModel:
        """Return the model of a layer in ``state``.

        Args:
            config: Momentum and ε of the layer.
            state: Its state, four arrays of (D,).
            conventions: The conventions that the layer declares.
        """
        mean, var = state.running_mean, state.running_var
        tracked = _Tracked.from_values(mean), _Tracked.from_values(var)
        return cls(config, conventions, *tracked, state.count)

    def train(self, x: npt.NDArray[np.float32], *, inaccurate_by: Bound | None = None) -> None:
        """Follow one training call.

        Args:
            x: The batch, (N, D).
            inaccurate_by: How far each element of x may be off, (N, D).
        """
        self.calls += 1
        if not self.conventions.moves_statistics():
            return
        mean, var = oracle.statistics(x)
        e_mean, e_var = bounds.statistics(x, self.conventions)
        if inaccurate_by is not None:
            more_mean, more_var = bounds.perturbed_statistics(var, inaccurate_by)
            e_mean, e_var = e_mean + more_mean, e_var + more_var
        momentum, count, c = self.config.momentum, self.count, self.conventions
        self.mean.update(momentum, mean, e_mean, count, c)
        share = c.share_stored(len(x))
        self.var.update(momentum, var * share, e_var.scaled(share), count, c)
        self.count = c.counted(count)

    def output(self, x: npt.NDArray[np.float32], state: State) -> tuple[Float64, Bound]:
        """Return y of the training call that was followed last, and its bound, each (N, D).

        Args:
            x: The batch of that call, (N, D).
            state: gamma and beta, (D,). Its statistics do not matter: where a declared deviation
                computes y from the averages, those of the model are used.
        """
        if not self.conventions.normalises_with_average():
            found = bounds.train(self.config, state, x, self.conventions)
            return oracle.train(self.config, state, x, self.conventions).y, found.y
        eps, mean, var = self.config.eps, self.mean, self.var
        x64 = oracle.float64(x)
        used = state.replace(running_mean=mean.value, running_var=var.value)
        y = oracle.evaluate(self.config, used, x64)

        def error(which: str) -> Float64:
            errors = getattr(mean, which), getattr(var, which)
            averages = (mean.value, var.value)
            return bounds.output_error(x64, *averages, *errors, eps, state, self.conventions)

        return y, Bound.of(error("strict"), error("allowed"))

    def check_statistics(self, state: State) -> None:
        """Check both running statistics of the layer against the model."""
        after = f"after {self.calls} training calls"
        for name, got, tracked in (
            ("running_mean", state.running_mean, self.mean),
            ("running_var", state.running_var, self.var),
        ):
            bound = Bound.of(tracked.strict, tracked.allowed)
            check_within(f"{name} {after}", got, tracked.value, bound)
        check_count(state, self.count, f" {after}")
