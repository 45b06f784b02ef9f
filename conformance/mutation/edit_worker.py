"""One worker process that judges edits, replaced when it is lost or has judged many."""

from __future__ import annotations

import ast
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from conformance.adapters.errors import AdapterError
from conformance.engine.environments import split_place
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.messages import Request
from conformance.engine.sandbox.waiting import RunCancelled
from conformance.engine.sandbox.worker_lost import WorkerLost
from conformance.engine.sandbox.worker_process import WorkerProcess
from conformance.engine.scheduling import order_by_power
from conformance.mutation.edit_judging import Judge, Load, Prepare, ReadReach, Trace
from conformance.mutation.mutants import Mutant
from conformance.mutation.reach import Place, reached_lines
from conformance.mutation.results import CRASHED, ENDED, EditOutcome, JudgedEdit, Original
from conformance.requirements import REQUIREMENTS, Level
from conformance.requirements.finding import FindingKind
from conformance.requirements.verdict import Outcome

ROWS = tuple(
    row.id
    for level in (Level.MUST, Level.SHOULD)
    for row in order_by_power(list(REQUIREMENTS.values()))
    if row.level is level
)
"""All requirements: every MUST before every SHOULD, and those that find most per second first."""

_QUICK = 30
"""Requirements that are judged by few cases first: nearly all edits violate one of them."""

_BEYOND_THE_PROGRAM = frozenset(
    {"FLAG", "FWD", "INIT", "JIT", "MASK", "ND", "SER", "SHAPE", "STATE", "SYNC", "TYPE"}
)
"""Families that look at more than the operations of a call on (N, D): those judge an edit that
leaves them as they are."""

_AT_ONCE = 8
"""Requirements of one request: progress is watched between requests."""

_RENEWED_AFTER = 60
"""Edits of one process; JAX keeps every program that it has compiled."""


class EditWorker:
    """Judges edits of one layer, in a process of the sandbox.

    Args:
        name: The layer, as the user typed it.
        limits: What the process may use.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self._name, self._limits = name, limits
        self._process: WorkerProcess | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._edits = 0
        self._closed = False

    def find_source(self) -> Original:
        """Return the source of the layer.

        Raises:
            AdapterError: The layer or its source cannot be found.
            WorkerLost: Importing it ends the process.
        """
        found = self._start()
        texts = {name: found[name] for name in ("file", "text")}
        return Original(**texts, definitions=tuple(found["definitions"]))

    def judge_original(self, original: Original, rows: Sequence[str]) -> Original:
        """Return what judging the layer as it is by some requirements shows.

        Raises:
            AdapterError: A copy of its module cannot be imported.
            WorkerLost: It ends the process.
        """
        loaded = self._ask(Load(text=original.text, noting=True))
        if loaded["refusal"]:
            raise AdapterError(f"{self._name}: a copy of its module fails: {loaded['refusal']}")
        verdicts = list(self._judge(rows, "default", go_on=True))
        reach = self._ask(ReadReach())
        self._ask(Load(text=ast.unparse(ast.parse(original.text))))
        return replace(
            original,
            line=loaded["line"],
            suggestions=tuple(loaded["suggestions"]),
            mined=tuple(loaded["mined"]),
            outcomes={each["requirement"]: each["outcome"] for each in verdicts},
            places=tuple(Place(*each) for each in reach["places"]),
            executed=frozenset(reach["executed"]),
            program=self._ask(Trace(mined=loaded["mined"])),
        )

    def judge(self, original: Original, edit: Mutant) -> JudgedEdit:
        """Return what becomes of an edit of the layer."""
        lines, reached = reached_lines(original.places, original.executed)
        if edit.statement in lines - reached:
            return JudgedEdit(edit=edit, outcome=EditOutcome.NOT_CAUGHT, reached=False)
        started = time.monotonic()
        try:
            found = self._judge_edit(edit, original)
        except WorkerLost as lost:
            limited = lost.finding.kind is FindingKind.TIMED_OUT or "memory" in lost.how
            found = JudgedEdit(
                edit=edit,
                outcome=EditOutcome.CAUGHT,
                by=ENDED if limited else CRASHED,
                detail=lost.finding.sentence(),
            )
        except AdapterError as error:
            found = JudgedEdit(edit=edit, outcome=EditOutcome.NOT_JUDGED, detail=str(error))
        return replace(found, seconds=time.monotonic() - started)

    def _judge_edit(self, edit: Mutant, original: Original) -> JudgedEdit:
        if self._edits >= _RENEWED_AFTER:
            self.stop()
        self._edits += 1
        loaded = self._ask(Load(text=ast.unparse(edit.applied(ast.parse(original.text)))))
        if loaded["refusal"]:
            raise AdapterError(loaded["refusal"])
        bad, same = self._find_bad(original)
        return JudgedEdit(
            edit=edit,
            outcome=EditOutcome.CAUGHT if bad else EditOutcome.NOT_CAUGHT,
            by=bad.get("requirement", ""),
            should=bool(bad) and REQUIREMENTS[bad["requirement"]].level is Level.SHOULD,
            detail=bad.get("why", ""),
            recognized=loaded["line"] if loaded["line"] != original.line else "",
            same_program=same,
        )

    def _find_bad(self, original: Original) -> tuple[dict[str, str], bool]:
        """Return the first bad verdict, if there is one, and whether the program is the same.

        What few cases of the strongest requirements do not find is judged by all cases of all; if
        its program is that of the original, by few, and only by what looks at more than that.
        """
        met = {row for row, end in original.outcomes.items() if not Outcome(end).bad}
        rows = [row for row in ROWS if row in met]
        if bad := self._first_bad(rows[:_QUICK], "quick"):
            return bad, False
        traced = self._ask(Trace(mined=original.mined))
        if traced and traced == original.program:
            left = (row for row in rows[_QUICK:] if REQUIREMENTS[row].family in _BEYOND_THE_PROGRAM)
            return self._first_bad([*left], "quick"), True
        return self._first_bad(rows, "default"), False

    def _first_bad(self, rows: Sequence[str], profile: str) -> dict[str, str]:
        for verdict in self._judge(rows, profile):
            if Outcome(verdict["outcome"]).bad:
                return verdict
        return {}

    def _judge(
        self, rows: Sequence[str], profile: str, *, go_on: bool = False
    ) -> Iterator[dict[str, str]]:
        for start in range(0, len(rows), _AT_ONCE):
            some = list(rows[start : start + _AT_ONCE])
            yield from self._ask(Judge(rows=some, profile=profile, go_on=go_on))

    def _ask(self, request: Request) -> Any:
        """Return the answer of the process, a new one if the last was lost.

        Raises:
            AdapterError: The layer cannot be found, or the request has no answer.
            WorkerLost: The process is lost while it works on this.
        """
        if self._process is None:
            self._start()
        assert self._process is not None  # noqa: S101
        try:
            reply = self._process.ask(request)
        except WorkerLost:
            self.stop()
            raise
        if reply.raised:
            raise AdapterError(reply.raised)
        return reply.result

    def _start(self) -> dict[str, Any]:
        """Start a process, and return what it found of the source."""
        if self._closed:
            raise RunCancelled
        self._edits = 0
        self._folder = tempfile.TemporaryDirectory(prefix="conformance-mutate-")
        self._process = WorkerProcess(self._name, self._limits)
        try:
            self._process.receive_declaration()
            return self._prepare(self._folder.name)
        except BaseException:
            self.stop()
            raise

    def _prepare(self, folder: str) -> dict[str, Any]:
        place = split_place(self._name)
        if place.environment:
            msg = f"{self._name}: a layer is edited in the environment of the suite only."
            raise AdapterError(msg)
        request = Prepare(name=place.implementation, folder=folder)
        found: dict[str, Any] = self._ask(request)
        if found["refusal"]:
            raise AdapterError(found["refusal"])
        return found

    def stop(self) -> None:
        """End the process, whatever it is doing; the next edit starts another."""
        if self._process is not None:
            self._process.close()
            self._process = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def close(self) -> None:
        """End the process, and start no other."""
        self._closed = True
        self.stop()
