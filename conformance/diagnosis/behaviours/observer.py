"""Observes what a worker process does, so that a crash or a hang is also an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from conformance.adapters.errors import describe
from conformance.adapters.implementation import Declaration
from conformance.diagnosis.behaviours.behaviour import BEHAVIOURS, NotObserved, Observation
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.worker_lost import WorkerLost
from conformance.engine.sandbox.worker_process import WorkerProcess
from conformance.properties.support.subject import Subject
from conformance.requirements import Capability

CALL_LIMIT = 60.0
"""Seconds that a call may take."""


_ABSENT = {
    Capability.LAYER: "there is a function, and no layer",
    Capability.FORWARD: "there is a layer, and no forward function",
}


def observe(name: str, subject: Subject) -> Observation:
    """Observe one behaviour; an exception is also an observation."""
    needs = BEHAVIOURS[name].needs
    if needs not in subject.implementation.capabilities:
        return Observation(name, observed=False, answer=_ABSENT[needs])
    try:
        return Observation(name, observed=True, answer=BEHAVIOURS[name].observe(subject))
    except NotObserved as reason:
        return Observation(name, observed=False, answer=str(reason))
    except Exception as error:  # noqa: BLE001  nothing here is judged, so nothing is a failure
        return Observation(name, observed=False, answer=describe(error))


@dataclass(slots=True)
class Observer:
    """One implementation and the worker process that observes it; a lost worker is replaced."""

    implementation: str
    limit: float = CALL_LIMIT
    declaration: Declaration | None = field(default=None, init=False)
    _process: WorkerProcess | None = field(default=None, init=False)

    @property
    def kind(self) -> str:
        """What the implementation was recognized as; empty before the first observation."""
        return "" if self.declaration is None else self.declaration.kind

    def observations(self, names: Sequence[str] = ()) -> Iterator[Observation]:
        """Yield one observation per behaviour.

        Args:
            names: The ids of the behaviours; empty for all.

        Raises:
            AdapterError: The implementation cannot be resolved.
        """
        try:
            for name in names or BEHAVIOURS:
                yield self._observe(name)
        finally:
            self._close()

    def _observe(self, name: str) -> Observation:
        try:
            return observe(name, self._subject())
        except WorkerLost as lost:
            self._process = None
            words = f"{lost.doing or 'the call'} ends it: {lost.how}"
            return Observation(name, observed=True, answer=words)

    def _subject(self) -> Subject:
        """Return the implementation in a worker that is alive and has no live objects."""
        if self._process is None:
            self._process = WorkerProcess(self.implementation, Limits(self.limit))
            self.declaration = self._process.receive_declaration()
        assert self.declaration is not None, "read with the first worker"  # noqa: S101
        self._process.begin_case()
        return Subject(self.declaration, self._process)

    def _close(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
