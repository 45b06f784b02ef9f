"""Observing in a process of the implementation's own: what ends it is an answer, too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.adapters.errors import AdapterError, describe
from conformance.diagnosis.behaviours.behaviour import BEHAVIOURS, NotObserved, Observation
from conformance.engine.budget import budget
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.worker_process import Lost, Process
from conformance.properties.support.subject import Subject

CALL_LIMIT = 60.0
"""Seconds that a call may take."""


def observe(name: str, subject: Subject) -> Observation:
    """Observe one behaviour in this process; whatever the implementation raises is told."""
    try:
        if subject.implementation.build is None:
            return Observation(name, observed=False, answer="there is a function, and no layer")
        return Observation(name, observed=True, answer=BEHAVIOURS[name].observe(subject))
    except NotObserved as reason:
        return Observation(name, observed=False, answer=str(reason))
    except BaseException as error:  # noqa: BLE001  nothing here is judged, so nothing is a failure
        return Observation(name, observed=False, answer=describe(error))


@dataclass(slots=True)
class Observer:
    """One implementation, and the process in which it is observed; a lost one is replaced."""

    implementation: str
    limit: float = CALL_LIMIT
    kind: str = field(default="", init=False)
    _process: Process | None = field(default=None, init=False)

    def observations(self, names: Sequence[str] = ()) -> Iterator[Observation]:
        """Yield one observation per behaviour.

        Raises:
            AdapterError: the implementation cannot be resolved.
        """
        try:
            for name in names or BEHAVIOURS:
                yield self._observed(name)
        finally:
            self._close()

    def _observed(self, name: str) -> Observation:
        try:
            answer = self._started().ask(behaviour=name)
        except Lost as lost:
            self._process = None
            if self.kind == "":  # it has never been ready
                msg = f"{self.implementation} cannot be resolved: {lost.how}"
                raise AdapterError(msg) from lost
            words = f"{lost.note.operation or 'the call'} ends it: {lost.how}"
            return Observation(name, observed=True, answer=words)
        return Observation(**answer["observation"])

    def _started(self) -> Process:
        if self._process is None:
            self._process = Process(self.implementation, budget(), Limits(self.limit))
            ready: dict[str, Any] = self._process.answer()
            if "refused" in ready:
                raise AdapterError(ready["refused"])
            self.kind = ready["ready"]
        return self._process

    def _close(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None
