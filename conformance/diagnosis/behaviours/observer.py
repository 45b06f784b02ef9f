"""Observes in a subprocess, so that a crash or a hang is also an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from conformance.adapters.errors import AdapterError, describe
from conformance.diagnosis.behaviours.behaviour import BEHAVIOURS, NotObserved, Observation
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.messages import Request
from conformance.engine.sandbox.worker_process import WorkerLost, WorkerProcess
from conformance.properties.support.subject import Subject

CALL_LIMIT = 60.0
"""Seconds that a call may take."""


def observe(name: str, subject: Subject) -> Observation:
    """Observe one behaviour in this process; an exception is also an observation."""
    try:
        if subject.imported.build is None:
            return Observation(name, observed=False, answer="there is a function, and no layer")
        return Observation(name, observed=True, answer=BEHAVIOURS[name].observe(subject))
    except NotObserved as reason:
        return Observation(name, observed=False, answer=str(reason))
    except BaseException as error:  # noqa: BLE001  nothing here is judged, so nothing is a failure
        return Observation(name, observed=False, answer=describe(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserveRequest(Request):
    """Asks a worker to observe one behaviour."""

    handler: ClassVar[str] = f"{__name__}:handle"

    behaviour: str


def handle(subject: Subject, *, behaviour: str) -> dict[str, Any]:
    """Return the observation as JSON values."""
    return observe(behaviour, subject).to_json()


@dataclass(slots=True)
class Observer:
    """One implementation and the worker process that observes it; a lost worker is replaced."""

    implementation: str
    limit: float = CALL_LIMIT
    kind: str = field(default="", init=False)
    _process: WorkerProcess | None = field(default=None, init=False)

    def observations(self, names: Sequence[str] = ()) -> Iterator[Observation]:
        """Yield one observation per behaviour.

        Args:
            names: The ids of the behaviours; empty for all.

        Raises:
            AdapterError: The implementation cannot be resolved.
        """
        try:
            for name in names or BEHAVIOURS:
                yield self._observed(name)
        finally:
            self._close()

    def _observed(self, name: str) -> Observation:
        try:
            reply = self._started().ask(ObserveRequest(behaviour=name))
        except WorkerLost as lost:
            self._process = None
            if self.kind == "":  # it has never been ready
                msg = f"{self.implementation} cannot be resolved: {lost.how}"
                raise AdapterError(msg) from lost
            words = f"{lost.doing or 'the call'} ends it: {lost.how}"
            return Observation(name, observed=True, answer=words)
        if reply.raised:  # observe() turns an exception of the implementation into an answer
            return Observation(name, observed=False, answer=reply.raised)
        return Observation(**reply.result)

    def _started(self) -> WorkerProcess:
        if self._process is None:
            self._process = WorkerProcess(self.implementation, Limits(self.limit))
            ready = self._process.receive()
            if ready.refusal:
                raise AdapterError(ready.refusal)
            self.kind = ready.result
        return self._process

    def _close(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
