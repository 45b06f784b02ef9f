"""Verdicts by processes that may come to an end before they give one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.adapters.errors import printable
from conformance.engine.budget import Budget
from conformance.engine.sandbox.heartbeat import Note
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.worker_process import Lost, Process
from conformance.requirements import REQUIREMENTS
from conformance.requirements.finding import RESULT, Finding, FindingKind
from conformance.requirements.verdict import Outcome, Verdict, Violation

_CHANCES = 2
"""Processes that an implementation may end in each worker; then it is not asked any more."""


@dataclass
class _Record:
    """What is known of one implementation."""

    kind: str = ""
    refusal: str | None = None
    losses: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)


class Keeper:
    """Judges implementations, each in a process that has never seen another one.

    One process lives at a time. ``limits``: what a single call may take. ``strictly``:
    declarations are left out of account. ``stop``: a file that ends the run once it exists.
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
        self._current: tuple[str, Process] | None = None

    def refusal(self, name: str) -> str | None:
        """Return why an implementation cannot be judged at all; None if it can."""
        record = self._record(name)
        if record.refusal is None and not record.losses:
            self._process(name)
        return record.refusal

    def effects(self, name: str) -> list[str]:
        """Return the process-wide state that was seen to change and not yet told."""
        record = self._record(name)
        told, record.effects = record.effects, []
        return told

    def judge(
        self,
        requirement: str,
        name: str,
        until: float | None = None,
        values: Mapping[str, object] | None = None,
    ) -> Verdict:
        """Return a verdict, by whatever means; ``values``: on this case alone."""
        started, record = time.perf_counter(), self._record(name)
        if len(record.losses) >= _CHANCES:
            times, where = len(record.losses), ", ".join(record.losses)
            return self._errored(
                requirement, name, f"not judged any more: {times} processes were lost in {where}"
            )
        process = self._process(name)
        if process is None:
            return self._errored(requirement, name, record.refusal or "")
        try:
            answer = process.ask(requirement=requirement, until=until, values=values)
        except Lost as lost:
            self._current = None
            record.losses.append(requirement)
            return self._violated(requirement, name, started, lost.how, lost.note, lost)
        record.effects += answer["effects"]
        if "escaped" in answer:
            return self._violated(requirement, name, started, answer["escaped"], process.note())
        return Verdict.from_json(answer["verdict"])

    def blueprint(self, name: str) -> dict[str, Any]:
        """Return how an implementation is made, as JSON values of a ``Blueprint``.

        Raises:
            Lost: its process came to an end.
        """
        process = self._process(name)
        assert process is not None, "the caller has asked for a refusal"  # noqa: S101
        found: dict[str, Any] = process.ask(blueprint=True)["blueprint"]
        return found

    def close(self) -> None:
        """End the process that lives."""
        if self._current is not None:
            self._current[1].close()
            self._current = None

    def _record(self, name: str) -> _Record:
        return self._records.setdefault(name, _Record())

    def _process(self, name: str) -> Process | None:
        """Return the process of an implementation, None if there can be none."""
        record = self._record(name)
        if record.refusal is not None:
            return None
        if self._current is not None and self._current[0] == name:
            return self._current[1]
        self.close()
        process = Process(name, self.budget, self.limits, strictly=self.strictly, stop=self.stop)
        self._current = name, process  # from now on it is closed, also on an interrupt
        try:
            answer = process.answer()
        except Lost as lost:
            self._current = None
            doing = lost.note.operation or "starting"
            record.refusal = printable(f"{name} cannot be judged: {doing}: {lost.how}")
            return None
        if "refused" in answer:
            self.close()
            record.refusal = answer["refused"]
            return None
        record.kind, record.effects = answer["ready"], record.effects + answer["effects"]
        return process

    def _errored(self, requirement: str, name: str, detail: str) -> Verdict:
        return Verdict(
            requirement=requirement,
            implementation=name,
            kind=self._record(name).kind,
            outcome=Outcome.ERRORED,
            level=REQUIREMENTS[requirement].level,
            detail=detail,
        )

    def _violated(
        self,
        requirement: str,
        name: str,
        started: float,
        got: str,
        note: Note,
        lost: Lost | None = None,
    ) -> Verdict:
        arguments = f" with {note.arguments}" * bool(note.arguments)
        finding = Finding(
            quantity=f"{note.operation}{arguments}" or "the requirement",
            got=printable(got),
            expected=RESULT,
            kind=lost.kind if lost else FindingKind.RAISED,
            operation=note.operation,
            limit_s=lost.limit_s if lost else None,
        )
        return Verdict(
            requirement=requirement,
            implementation=name,
            kind=self._record(name).kind,
            outcome=Outcome.VIOLATES,
            level=REQUIREMENTS[requirement].level,
            cases=note.cases,
            seconds=round(time.perf_counter() - started, 4),
            violation=_violation(requirement, finding, note),
        )


def _violation(requirement: str, finding: Finding, note: Note) -> Violation:
    """Return the violation, with the case that was being executed if there was one."""
    if not note.raw:
        return Violation(finding=finding)
    from conformance.properties import PROPERTIES  # noqa: PLC0415
    from conformance.strategies.bytestream import draw_from_bytes  # noqa: PLC0415
    from conformance.strategies.codec import make_violation  # noqa: PLC0415  only after a loss

    decoders = PROPERTIES[requirement].decoders
    drawn = draw_from_bytes(note.raw, {name: of(note.entries) for name, of in decoders.items()})
    return make_violation(requirement, finding, drawn)
