"""A layer as properties act on it: its calls are operations, its results copies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from typing import Any, cast

import numpy as np

from conformance.adapters.operations.values import Ref
from conformance.adapters.protocols import ARRAYS, COUNT, Config
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import Comparison, check_shape, violation
from conformance.properties.support.session import Answer, Session, as_array
from conformance.requirements.finding import MISSING, FindingKind

CONSTRUCT, WRITE = "the constructor", "writing the state"
"""The operations that bring a layer into the state of a case."""

READ = "reading the state"

_GETTERS = tuple(attrgetter(name) for name in ARRAYS)
_as_y = partial(as_array, "y")


@dataclass(frozen=True, slots=True)
class LayerHandle:
    """A live layer.

    Attributes:
        session: The operations of the case.
        ref: The layer.
        fresh_config: What it was constructed with.
        conventions: The conventions that it is judged by.
    """

    session: Session
    ref: Ref
    fresh_config: Config
    conventions: Conventions = STRICT

    def call(self, x: Any, flag: Any) -> AnyArray:
        """Apply the layer with a raw flag and return y.

        Args:
            x: The batch, (N, D).
            flag: The value of ``use_running_average``.

        Returns:
            y, (N, D), as the layer returned it.
        """
        return self.output(
            "call", x, flag, label="the call", detail=f"use_running_average={flag!r}"
        )

    def train(self, x: Any) -> AnyArray:
        """Apply the layer to x, (N, D), in training mode and return y, (N, D)."""
        return self.call(x, False)

    def evaluate(self, x: Any) -> AnyArray:
        """Apply the layer to x, (N, D), in evaluation mode and return y, (N, D)."""
        return self.call(x, True)

    def output(self, name: str, *arguments: Any, label: str, detail: str = "") -> AnyArray:
        """Return y, (N, D), the result of an operation on the layer.

        Args:
            name: The operation.
            *arguments: Its arguments after the layer.
            label: What is done, for a violation.
            detail: The arguments that matter to a reader.
        """
        words = {"label": label, "detail": detail}
        return self.session.request(name, self.ref, *arguments, accept=_as_y, **words).array()

    def ask(self, name: str, *arguments: Any, label: str, detail: str = "") -> Any:
        """Execute an operation on the layer, and return its result.

        Args:
            name: The operation.
            *arguments: Its arguments after the layer.
            label: What is done, for a violation.
            detail: The arguments that matter to a reader.
        """
        return self.session.ask(name, self.ref, *arguments, label=label, detail=detail)

    def do(self, name: str, *arguments: Any, label: str, detail: str = "") -> None:
        """Have an operation on the layer executed, which has no result."""
        self.session.do(name, self.ref, *arguments, label=label, detail=detail)

    def keep(self, name: str, *arguments: Any, label: str) -> Ref:
        """Have an operation on the layer executed, whose result stays where it is."""
        return self.session.keep(name, self.ref, *arguments, label=label)

    def report_missing(self, name: str, found: dict[str, Any]) -> None:
        """Report that the layer has no array of this name.

        Args:
            name: The name.
            found: What it has, by name.

        Raises:
            ViolationFound: Always.
        """
        expected = f"an array of shape ({self.fresh_config.features},)"
        compared = Comparison("has", found, name)
        violation(name, MISSING, expected, compared, kind=FindingKind.MISSING)

    @property
    def state(self) -> State:
        """A copy of the four arrays, whose shapes and dtypes are those of the layer."""
        return self.read_state("read", self.ref, accept=self._accept)

    @property
    def usable_state(self) -> State:
        """The state as the starting point of an expectation; each array must be (D,)."""
        return self.read_state("read", self.ref, accept=self._accept_usable)

    def read_state(
        self, name: str, of: Ref, accept: Callable[[dict[str, Any]], State] | None = None
    ) -> State:
        """Return four arrays, each (D,), that are fetched when they are looked at.

        Args:
            name: The operation whose result they are.
            of: Its argument.
            accept: Makes the state of its result; None for an array of each name.
        """
        answer = self.session.request(name, of, label=READ, accept=accept or self._accept)
        if self.conventions.counts():
            return cast("State", answer.value)
        return State(*(answer.array(get) for get in _GETTERS))

    def _accept(self, held: dict[str, Any]) -> State:
        for name in ARRAYS:
            if not isinstance(held, dict) or name not in held:
                self.report_missing(name, held)
        arrays = {name: as_array(name, held[name]) for name in ARRAYS}
        return State(**arrays, count=self._count(held) if self.conventions.counts() else None)

    def _accept_usable(self, held: dict[str, Any]) -> State:
        state = self._accept(held)
        for name, array in state.arrays().items():
            check_shape(name, array, (self.fresh_config.features,))
        return state

    def _count(self, held: dict[str, Any]) -> Any:
        """Return the number of updates that the layer reports for its averages."""
        if COUNT not in held:
            expected = "the number of updates, by the declared deviation"
            compared = Comparison("has", held, COUNT)
            violation(COUNT, MISSING, expected, compared, kind=FindingKind.MISSING)
        return self.conventions.as_count(as_array(COUNT, held[COUNT]))

    def write(self, state: State) -> None:
        """Replace all four arrays from outside, by copies: a layer may keep and change them."""
        age = {} if state.count is None else {COUNT: np.asarray(state.count)}
        self.do("write", {**state.arrays(), **age}, label=WRITE)

    @property
    def attributes(self) -> Answer:
        """The Python attributes that are not state, rendered; none if they cannot be read."""
        return self.session.request("attributes", self.ref, label="reading the attributes")

    def restore(self) -> LayerHandle:
        """Return a copy that was taken apart and put together by means of the framework.

        A layer whose adapter offers no such means is returned as it is.
        """
        doing = "taking the layer apart and putting it together again"
        return self.at(self.keep("restore", label=doing))

    def at(self, ref: Ref) -> LayerHandle:
        """Return the same handle on another layer."""
        return replace(self, ref=ref)

    def call_jitted(self, x: Any, *, evaluate: bool) -> AnyArray:
        """Call the layer under the jit that all properties share.

        Args:
            x: The batch, (N, D).
            evaluate: Whether the call evaluates.

        Returns:
            y, (N, D).
        """
        label = f"the call under {self.session.library}.jit"
        return self.output("call_jitted", x, evaluate, label=label)
