"""Starts and replaces worker processes, and judges by what they compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conformance.adapters.errors import AdapterError, printable
from conformance.adapters.implementation import Declaration, reading_of
from conformance.adapters.operations.executor import ExecutorLost
from conformance.engine.budget import Budget
from conformance.engine.environments import split_place, versions_in
from conformance.engine.judge import judge_requirement
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.messages import Request, read_declaration
from conformance.engine.sandbox.waiting import LongWait, TimeIsUp
from conformance.engine.sandbox.worker_lost import WorkerLost
from conformance.engine.sandbox.worker_process import WorkerProcess
from conformance.engine.usability import reason_unusable
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Level
from conformance.requirements.verdict import Outcome, Verdict

TIME_UP = "the time was up (--max-time)"
"""What the detail of a verdict begins with if a run with a limit did not get to it."""

MAX_WORKER_LOSSES = 2
"""Workers that an implementation may lose to one supervisor; then it is judged no further."""


@dataclass
class _Record:
    """The state of one implementation in this supervisor."""

    declaration: Declaration | None = None
    refusal: str | None = None
    losses: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    is_checked: bool = False
    reading_taken: bool = False
    peak_memory: int = 0
    device: str = ""
    too_large: dict[str, tuple[int, str]] = field(default_factory=dict)


class Supervisor:
    """Judges implementations in this process, which imports none of them.

    Each is imported by a worker process that has never seen another one, and that executes the
    operations of cases. One worker is alive at a time.

    Args:
        budget: How thoroughly to judge.
        limits: What a worker may use.
        strictly: Ignore declared deviations.
        stop: A file whose existence cancels the run.
        make_worker: Returns the worker of an implementation, like ``WorkerProcess``.
        on_wait: Receives what a worker has been doing for seconds, again and again.
    """

    def __init__(
        self,
        budget: Budget,
        limits: Limits | None = None,
        *,
        strictly: bool = False,
        stop: Path | None = None,
        make_worker: Callable[..., WorkerProcess] = WorkerProcess,
        on_wait: Callable[[LongWait], None] | None = None,
    ) -> None:
        self.budget, self.limits = budget, limits or Limits()
        self.strictly, self.stop = strictly, stop
        self._make_worker, self._on_wait = make_worker, on_wait
        self._requirement = ""
        self._records: dict[str, _Record] = {}
        self._current: tuple[str, WorkerProcess] | None = None

    def refusal(self, name: str) -> str | None:
        """Return why an implementation cannot be judged at all; None if it can."""
        record = self._record(name)
        if record.refusal is None and not record.losses:
            with suppress(TimeIsUp):  # as its verdicts will say
                self._worker(name)
        return record.refusal

    def refusal_of_all(self, names: Iterable[str]) -> str:
        """Return why none of some implementations can be judged; empty if one can."""
        refusals = []
        for name in names:
            refusals.append(self.refusal(name))
            if refusals[-1] is None:
                return ""
        return "\n".join(dict.fromkeys(map(str, refusals)))

    def take_effects(self, name: str) -> list[str]:
        """Return the names of the process-wide state that has changed since the last call."""
        record = self._record(name)
        effects, record.effects = record.effects, []
        return effects

    def take_reading(self, name: str) -> dict[str, Any] | None:
        """Return what was read of an implementation, when first asked."""
        record = self._record(name)
        if record.declaration is None or record.reading_taken:
            return None
        record.reading_taken = True
        place = split_place(name)
        versions = versions_in(place) if place.environment else {}
        return reading_of(record.declaration, record.device, versions)

    def peak_memory(self) -> dict[str, int]:
        """Return the largest resident memory of the processes of each implementation, in bytes."""
        return {name: record.peak_memory for name, record in self._records.items()}

    def judge(
        self,
        requirement: str,
        name: str,
        until: float | None = None,
        values: Mapping[str, object] | None = None,
        max_examples: int = 0,
    ) -> Verdict:
        """Return the verdict on one requirement, also if the worker is lost.

        Args:
            requirement: Its id.
            name: The implementation.
            until: When to stop, in seconds since 1970.
            values: An encoded case; judge this one alone.
            max_examples: Cases per property; 0 for those of the budget.
        """
        budget = replace(self.budget, max_examples=max_examples or self.budget.max_examples)
        record = self._record(name)
        if len(record.losses) >= MAX_WORKER_LOSSES:
            times, where = len(record.losses), ", ".join(record.losses)
            detail = f"not judged any more: {times} processes were lost in {where}"
            return self._errored(requirement, name, detail)
        if self.limits.time_is_up:
            return self._errored(requirement, name, f"{TIME_UP} before it was judged")
        self._requirement = requirement
        try:
            return self._judge(requirement, name, budget, until, values)
        except TimeIsUp as up:
            self._current = None
            return self._errored(requirement, name, f"{TIME_UP} during {up.doing or 'its start'}")

    def _judge(
        self,
        requirement: str,
        name: str,
        budget: Budget,
        until: float | None,
        values: Mapping[str, object] | None,
    ) -> Verdict:
        record, worker = self._record(name), self._worker(name)
        if worker is None or record.declaration is None:
            return self._errored(requirement, name, record.refusal or "")
        subject = Subject(record.declaration, worker, record.too_large)
        row = REQUIREMENTS[requirement]
        verdict = judge_requirement(row, subject, budget, values, until=until)
        record.peak_memory = max(record.peak_memory, worker.measure_memory())
        if not worker.is_lost:
            with suppress(WorkerLost):  # which counts as a loss, below
                record.effects += worker.take_effects()
        if worker.is_lost:
            self._current = None
            if row.level is not Level.MAY:  # of which a loss is the answer
                record.losses.append(requirement)
        return verdict

    def subject(self, name: str) -> Subject:
        """Return an implementation as properties act on it; it must not be refused."""
        worker, declaration = self._worker(name), self._record(name).declaration
        assert worker is not None and declaration is not None, "not refused"  # noqa: S101, PT018
        return Subject(declaration, worker)

    def ask(self, name: str, request: Request) -> Any:
        """Return the result of a request that a function in the worker handles.

        Args:
            name: The implementation.
            request: The request.

        Raises:
            WorkerLost: There is no result.
        """
        worker = self._worker(name)
        assert worker is not None, "the caller has asked for a refusal"  # noqa: S101
        reply = worker.ask(request)
        if reply.raised:
            raise worker.lose(reply.raised)
        return reply.result

    def close(self) -> None:
        """Kill the worker that is alive."""
        if self._current is not None:
            self._current[1].close()
            self._current = None

    def _record(self, name: str) -> _Record:
        return self._records.setdefault(name, _Record())

    def _worker(self, name: str) -> WorkerProcess | None:
        """Return the worker of an implementation; None if the implementation is refused."""
        record = self._record(name)
        if record.refusal is not None:
            return None
        if self._current is not None and self._current[0] == name:
            return self._current[1]
        self.close()
        try:
            worker = self._make_worker(name, self.limits, strictly=self.strictly, stop=self.stop)
        except AdapterError as error:  # there is no such environment
            record.refusal = printable(str(error))
            return None
        self._current = name, worker  # from now on it is closed, also on an interrupt
        if (on_wait := self._on_wait) is not None:
            worker.on_wait = lambda wait: on_wait(wait.about(self._requirement, name))
        try:
            reply = worker.receive_first()
        except WorkerLost as lost:
            self._current = None
            record.refusal = f"{name} cannot be judged: {lost.doing or 'starting'}: {lost.how}"
        else:
            record.effects += reply.effects
            record.device = printable(str(reply.device))
            try:
                record.declaration = read_declaration(reply, name)
            except AdapterError as error:
                record.refusal = str(error)
            else:
                record.refusal = self._check_once(name, Subject(record.declaration, worker))
            if worker.is_lost:  # while it was checked, by a layer that is judged all the same
                self._current = None
                return self._worker(name)
        if record.refusal:
            record.refusal = printable(record.refusal)
            self.close()
            return None
        record.refusal = None
        return worker

    def _check_once(self, name: str, subject: Subject) -> str | None:
        """Return why an implementation cannot be driven, unless that was asked before."""
        record = self._record(name)
        if record.is_checked:
            return None
        record.is_checked = True
        try:
            problem = reason_unusable(subject)
        except ExecutorLost:
            return None
        hint = f"`conformance smoke {name}` shows the steps."
        return f"{name} cannot be judged: {problem}. {hint}" if problem else None

    def _errored(self, requirement: str, name: str, detail: str) -> Verdict:
        declared = self._record(name).declaration
        return Verdict(
            requirement=requirement,
            implementation=name,
            kind="" if declared is None else declared.kind,
            outcome=Outcome.ERRORED,
            level=REQUIREMENTS[requirement].level,
            detail=detail,
        )
