"""The implementation under test, as properties act on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from conformance.adapters.implementation import Declaration, Implementation
from conformance.adapters.operations.executor import Executor, LocalExecutor
from conformance.adapters.operations.values import Given, Ref
from conformance.adapters.protocols import Config
from conformance.numerics.conventions import Conventions
from conformance.numerics.sources import formula
from conformance.numerics.state import AnyArray, State
from conformance.properties.support.checks import check_true
from conformance.properties.support.layer_handle import CONSTRUCT, LayerHandle
from conformance.properties.support.session import Session, as_array
from conformance.strategies.case import Case

INPUT = "passing x"


@formula
def is_counted(count: Any, fresh: bool) -> bool:
    """Return whether a layer has counted no update if it is fresh, and some if it is not."""
    return bool(count == 0) == fresh


@dataclass(frozen=True)
class Subject:
    """The implementation under test, and the conventions that it is judged by.

    Attributes:
        implementation: What is judged, or what is known of it where it is not imported.
        executor: What executes operations; None for this process.
        too_large: For each kind of large batch the size from which on there is no time or no
            memory for it, and what is said of that; all requirements know it.
    """

    implementation: Implementation | Declaration
    executor: Executor | None = None
    too_large: dict[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def imported(self) -> Implementation:
        """The implementation itself; only where it is imported."""
        assert isinstance(self.implementation, Implementation)  # noqa: S101
        return self.implementation

    @cached_property
    def conventions(self) -> Conventions:
        """The declared conventions."""
        return Conventions(self.implementation.deviations, self.implementation.design)

    @cached_property
    def session(self) -> Session:
        """The operations of the present case."""
        executor = self.executor or LocalExecutor(self.imported)
        return Session(executor, "nnx" if self.implementation.nnx_module else "jax")

    @cached_property
    def paces(self) -> dict[int, float]:
        """The seconds that calls on large batches took, by the number of elements."""
        return {}

    @cached_property
    def growth(self) -> list[float]:
        """What ``measure_growth`` returns; empty before it is known."""
        return []

    def build(self, config: Config, state: State | None = None) -> LayerHandle:
        """Construct a layer and, unless it is to stay fresh, set its state.

        Args:
            config: The configuration of the layer.
            state: Four arrays of (D,); None for a fresh layer.
        """
        asked = self.conventions.constructed(config)
        arguments = asked.features, asked.momentum, asked.eps, asked.seed
        detail = f"momentum={config.momentum}, eps={config.eps}"
        ref = self.session.keep("build", *arguments, label=CONSTRUCT, detail=detail)
        layer = LayerHandle(self.session, ref, config, self.conventions)
        if state is not None:
            layer.write(state)
        return layer

    def start(self, case: Case) -> tuple[LayerHandle, State, Ref]:
        """Return a layer in the state of the case, that state read back, and x, (N, D).

        Raises:
            ViolationFound: The layer fails, or its state has the wrong shape or count.
        """
        layer = self.build(case.config, case.state)
        before = layer.usable_state
        if self.conventions.counts():
            fresh = case.state is None
            check_true(
                "count before the first call",
                is_counted(before.count, fresh),
                got=str(before.count),
                expected="0" if fresh else "the number of updates behind what was written, not 0",
            )
        return layer, before, self.input(case)

    def input(self, case: Case) -> Ref:
        """Return x, (N, D), as one object in the container that the case asks for."""
        return self.put(Given(case.x, "jnp.asarray" if case.as_jax else "np.copy"))

    def put(self, value: Any) -> Ref:
        """Return an input that is the same object in every call."""
        return self.session.keep("put", value, label=INPUT)

    def reread(self, what: str, ref: Ref) -> AnyArray:
        """Return a copy of an array that is kept: an input, an output, or part of a snapshot."""
        label, accept = f"reading {what} again", lambda found: as_array(what, found[0])
        return self.session.request("reread", [ref], label=label, accept=accept).array()

    def forward(self, seed: Any, x: Any, flag: Any) -> AnyArray:
        """Call the forward function on x, (N, D), and return a copy of its result.

        Args:
            seed: The seed, which may be any number.
            x: The batch, (N, D).
            flag: The value of ``use_running_average``.
        """
        detail = f"seed={seed!r}, use_running_average={flag!r}"
        accept = partial(as_array, "the result")
        words: dict[str, Any] = {"label": "forward", "detail": detail, "accept": accept}
        return self.session.request("forward", seed, x, flag, **words).array()

    def train_then_evaluate(self, layer: LayerHandle, x: Any) -> tuple[AnyArray, AnyArray]:
        """Train, then evaluate, on a shape that is used once.

        A layer that can be compiled is, because compiling one program for a new shape costs
        a third of compiling each of its operations.

        Args:
            layer: The layer.
            x: The batch, (N, D).

        Returns:
            y of each of the two calls, (N, D).
        """
        if not self.implementation.nnx_module:
            return layer.train(x), layer.evaluate(x)
        trained, evaluated = layer.ask("train_and_evaluate_jitted", x, label="the compiled call")
        return as_array("y", trained), as_array("y", evaluated)
