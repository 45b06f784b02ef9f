"""A model of one live layer in the course of a program."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

from conformance.adapters.protocols import PARAMETERS, STATISTICS, Config
from conformance.numerics.conventions import Conventions
from conformance.numerics.state import AnyArray, Float32, State
from conformance.properties.support.claims import check_kept
from conformance.properties.support.running_stats_model import RunningStatsModel


@dataclass(slots=True)
class Expected:
    """The pure model of a layer: its running statistics, with the error they may have by now.

    ``seen`` is the state that was read last. Between training calls it must stay identical, so
    an evaluation is judged at ``seen``, where its bound is exact; after a training call γ and β
    are as in ``seen``, and the running statistics within the accumulated error of the model.
    """

    seen: State
    model: RunningStatsModel

    @classmethod
    def from_state(cls, config: Config, state: State, conventions: Conventions) -> Expected:
        """Return the model of a layer whose state was read as ``state``.

        Args:
            config: Momentum and ε of the layer.
            state: The state, four arrays of (D,).
            conventions: The conventions that the layer declares.
        """
        return cls(state, RunningStatsModel.from_state(config, state, conventions))

    @property
    def config(self) -> Config:
        """The configuration of the layer."""
        return self.model.config

    def copy(self) -> Expected:
        """Return an independent copy of the model, for a copy of the layer."""
        return Expected(self.seen, copy.deepcopy(self.model))

    def train(self, x: Float32) -> None:
        """Follow one training call on x, (N, D)."""
        self.model.train(x)

    def write(self, given: Mapping[str, AnyArray]) -> None:
        """Follow a write from outside, after which the layer has exactly these arrays.

        Args:
            given: The arrays written by name, each (D,).
        """
        held = {name: array.astype(self.seen.arrays()[name].dtype) for name, array in given.items()}
        self.seen = self.seen.replace(**held)
        if any(name in held for name in STATISTICS):
            self.seen = self.seen.replace(count=None)
            self.model.count = None
        exact = RunningStatsModel.from_state(self.config, self.seen, self.model.conventions)
        if "running_mean" in held:
            self.model.mean = exact.mean
        if "running_var" in held:
            self.model.var = exact.var

    def check_moved(self, state: State) -> None:
        """Check the state that was read after training calls, and remember it."""
        check_kept(state, self.seen, "as before the training call", names=PARAMETERS)
        self.model.check_statistics(state)
        self.seen = state

    def check_still(self, state: State, what: str = "") -> None:
        """Check that the state is the one that was seen last.

        Args:
            state: The state that was read, four arrays of (D,).
            what: What is appended to the names of the arrays.
        """
        check_kept(state, self.seen, "as it was seen last, or written", of=what)
