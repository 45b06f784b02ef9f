"""BN-SEQ-1 as a Hypothesis state machine, for exploring one layer at length.

``conformance run`` judges drawn programs, the same ones for every implementation. A state machine
decides each step while it runs, shrinks by Hypothesis' own means, and goes as deep as its
settings say; the steps, the model and the bounds are those of BN-SEQ-1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from conformance.adapters.protocols import ARRAYS
from conformance.properties.sequences import COPIED_BY, Live, Run
from conformance.strategies.programs import AGAIN, RUNS, Program, Step, programs
from conformance.strategies.shape_grid import DEFAULT

if TYPE_CHECKING:
    from conformance.properties.support.subject import Subject

_BATCHES, _STATES = st.integers(0, 2), st.integers(0, 1)
_TIMES = st.integers(2, 25)


class SequenceMachine(RuleBasedStateMachine):
    """Calls, writes and copies of two live layers; each step checks output, states and inputs.

    A subclass names the ``subject``; ``conformance.sequence_machine`` makes one.
    """

    subject: Subject

    @initialize(program=programs(DEFAULT).to_hypothesis())
    def begin(self, program: Program) -> None:
        """Build the layers of a program; its own steps are left out."""
        self.subject.session.begin_case()
        self.run = Run.start(self.subject, program)
        self.trained: Live | None = None

    @rule(batch=_BATCHES, as_jax=st.booleans())
    def train(self, batch: int, as_jax: bool) -> None:
        """Train, operation by operation."""
        self._take("train", batch=batch, as_jax=as_jax)

    @rule(batch=_BATCHES, as_jax=st.booleans())
    def evaluate(self, batch: int, as_jax: bool) -> None:
        """Evaluate, operation by operation."""
        self._take("evaluate", batch=batch, as_jax=as_jax)

    @rule(kind=st.sampled_from(("train", "evaluate")), batch=st.integers(0, 1))
    def call_compiled(self, kind: str, batch: int) -> None:
        """Call under ``nnx.jit``."""
        self._take(kind, batch=batch, jit=True)

    @rule(kind=st.sampled_from(AGAIN))
    def call_again(self, kind: str) -> None:
        """Repeat the last call with the same array object, its contents changed or not."""
        self._take(kind, batch=self.run.last.batch)

    @rule(kind=st.sampled_from(tuple(RUNS)), batch=st.integers(0, 1), times=_TIMES)
    def call_often(self, kind: str, batch: int, times: int) -> None:
        """Make many calls in turn."""
        self._take(kind, batch=batch, times=times)

    @rule(batch=_BATCHES)
    def mutate(self, batch: int) -> None:
        """Change an input in place."""
        self._take("mutate", batch=batch)

    @rule(name=st.sampled_from(("", *(f" {name}" for name in ARRAYS))), state=_STATES)
    def write(self, name: str, state: int) -> None:
        """Write all four arrays, or one of them."""
        self._take(f"set{name}", state=state)

    @rule()
    def reset(self) -> None:
        """Write the values that a fresh layer has."""
        self._take("reset")

    @rule()
    def switch(self) -> None:
        """Go on with another live layer."""
        self._take("switch")

    @precondition(lambda self: self.subject.implementation.nnx_module)
    @rule(kind=st.sampled_from((*COPIED_BY, "split and merge")))
    def copy(self, kind: str) -> None:
        """Go on with a copy, or with the layer put together again."""
        self._take(kind)

    @invariant()
    def everything_else_is_still(self) -> None:
        """All live layers hold what the model says; inputs and earlier outputs are untouched."""
        self.run.check(self.trained)
        self.subject.session.finish()
        self.trained = None

    def _take(self, kind: str, **arguments: Any) -> None:
        self.trained = self.run.take(Step(kind, **arguments))


def machine_of(subject: Subject) -> type[SequenceMachine]:
    """Return the state machine of one implementation."""
    return type("BatchNormMachine", (SequenceMachine,), {"subject": subject})
