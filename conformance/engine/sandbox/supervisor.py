"""Starts, asks and replaces worker processes, and reports their loss as a violation."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.adapters.errors import printable
from conformance.engine.budget import Budget
from conformance.engine.sandbox.heartbeat import Heartbeat
from conformance.engine.sandbox.judging import JudgeRequest
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.messages import Request
from conformance.engine.sandbox.worker_process import WorkerLost, WorkerProcess
from conformance.requirements import REQUIREMENTS
from conformance.requirements.finding import RESULT, Finding, FindingKind
from conformance.requirements.verdict import Outcome, Verdict, Violation

MAX_WORKER_LOSSES = 2
"""Workers that an implementation may lose to one supervisor; then it is judged no further."""


@dataclass
class _Record:
    """The state of one implementation in this supervisor."""

    kind: str = ""
    refusal: str | None = None
    losses: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)


class Supervisor:
    """Judges implementations, each in a process that has never seen another one.

    One worker is alive at a time.

    Args:
        budget: How thoroughly to judge.
        limits: What a worker may use.
        strictly: Ignore declared deviations.
        stop: A file whose existence cancels the run.
    """

    def __init__(
        self,
        budget: Budget,
        limits: Limits | None = None,
        *,
        strictly: bool = False,
        stop: Path | None = None,
    ) -> None:
        self.budget, self.limits = budget, limits or Limits()
        self.strictly, self.stop = strictly, stop
        self._records: dict[str, _Record] = {}
        self._current: tuple[str, WorkerProcess] | None = None

    def refusal(self, name: str) -> str | None:
        """Return why an implementation cannot be judged at all; None if it can."""
        record = self._record(name)
        if record.refusal is None and not record.losses:
            self._worker(name)
        return record.refusal

    def take_effects(self, name: str) -> list[str]:
        """Return the names of the process-wide state that has changed since the last call."""
        record = self._record(name)
        effects, record.effects = record.effects, []
        return effects

    def judge(
        self,
        requirement: str,
        name: str,
        until: float | None = None,
        values: Mapping[str, object] | None = None,
    ) -> Verdict:
        """Return the verdict on one requirement, also if the worker is lost.

        Args:
            requirement: Its id.
            name: The implementation.
            until: When to stop, in seconds since 1970.
            values: An encoded case; judge this one alone.
        """
        record = self._record(name)
        if len(record.losses) >= MAX_WORKER_LOSSES:
            times, where = len(record.losses), ", ".join(record.losses)
            detail = f"not judged any more: {times} processes were lost in {where}"
            return self._verdict(requirement, name, Outcome.ERRORED, detail=detail)
        worker = self._worker(name)
        if worker is None:
            detail = record.refusal or ""
            return self._verdict(requirement, name, Outcome.ERRORED, detail=detail)
        request = JudgeRequest(
            requirement=requirement, budget=self.budget, until=until, values=values
        )
        return self._judge_by(worker, name, request)

    def _judge_by(self, worker: WorkerProcess, name: str, request: JudgeRequest) -> Verdict:
        started, record, requirement = time.perf_counter(), self._record(name), request.requirement
        try:
            reply = worker.ask(request)
        except WorkerLost as lost:
            self._current = None
            record.losses.append(requirement)
            finding = _finding(lost.how, lost.heartbeat, lost.kind, lost.limit_s)
            return self._violated(requirement, name, finding, lost.heartbeat, started)
        record.effects += reply.effects
        if reply.raised:
            heartbeat = worker.last_heartbeat()
            finding = _finding(reply.raised, heartbeat, FindingKind.RAISED)
            return self._violated(requirement, name, finding, heartbeat, started)
        return Verdict.from_json(reply.result)

    def ask(self, name: str, request: Request) -> Any:
        """Return the result of a request that does not judge.

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
            raise WorkerLost(reply.raised, worker.last_heartbeat())
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
        worker = WorkerProcess(name, self.limits, strictly=self.strictly, stop=self.stop)
        self._current = name, worker  # from now on it is closed, also on an interrupt
        try:
            reply = worker.receive()
        except WorkerLost as lost:
            self._current = None
            doing = lost.heartbeat.text or "starting"
            record.refusal = printable(f"{name} cannot be judged: {doing}: {lost.how}")
            return None
        if reply.refusal:
            self.close()
            record.refusal = reply.refusal
            return None
        record.kind, record.effects = reply.result, record.effects + reply.effects
        return worker

    def _verdict(self, requirement: str, name: str, outcome: Outcome, **rest: Any) -> Verdict:
        return Verdict(
            requirement=requirement,
            implementation=name,
            kind=self._record(name).kind,
            outcome=outcome,
            level=REQUIREMENTS[requirement].level,
            **rest,
        )

    def _violated(
        self, requirement: str, name: str, finding: Finding, heartbeat: Heartbeat, started: float
    ) -> Verdict:
        return self._verdict(
            requirement,
            name,
            Outcome.VIOLATES,
            cases=heartbeat.cases,
            seconds=round(time.perf_counter() - started, 4),
            violation=_violation(requirement, finding, heartbeat),
        )


def _finding(
    got: str, heartbeat: Heartbeat, kind: FindingKind, limit_s: float | None = None
) -> Finding:
    return Finding(
        quantity=heartbeat.text or "the requirement",
        got=printable(got),
        expected=RESULT,
        kind=kind,
        operation=heartbeat.operation,
        limit_s=limit_s,
    )


def _violation(requirement: str, finding: Finding, heartbeat: Heartbeat) -> Violation:
    """Return the violation, with the case that was being executed if there was one."""
    if not heartbeat.raw:
        return Violation(finding=finding)
    from conformance.properties import PROPERTIES  # noqa: PLC0415
    from conformance.strategies.bytestream import draw_from_bytes  # noqa: PLC0415
    from conformance.strategies.codec import decode, make_violation  # noqa: PLC0415  after a loss

    strategies = PROPERTIES[requirement].strategies
    try:
        palette = decode(json.loads(heartbeat.shapes))
        drawn = draw_from_bytes(heartbeat.raw, {n: of(palette) for n, of in strategies.items()})
    except Exception:  # noqa: BLE001  the implementation can write anything to the page
        return Violation(finding=finding)
    return make_violation(requirement, finding, drawn)
