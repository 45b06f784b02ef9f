"""The suite on one mutant: requirement after requirement, until one is violated."""

from __future__ import annotations

from functools import cache
from typing import Any

from conformance.engine.jax_runtime import remember_compilations

remember_compilations()  # must come before jax is imported

from conformance.adapters.implementation import Implementation  # noqa: E402
from conformance.engine.budget import budget  # noqa: E402
from conformance.engine.judge import judge_requirement  # noqa: E402
from conformance.mutation.mutants import Mutant  # noqa: E402
from conformance.properties.support.subject import Subject  # noqa: E402
from conformance.requirements import REQUIREMENTS, Level, Requirement, select  # noqa: E402
from conformance.requirements.verdict import Outcome, Verdict  # noqa: E402
from mutation.probes import lines, noting_lines  # noqa: E402
from mutation.program import program  # noqa: E402
from mutation.targets import FORWARD, TARGETS  # noqa: E402

Result = dict[str, Any]

BUDGET = budget("quick", minimize=False)
"""Where a fifth of the default cases is enough to kill, the default ones are too."""

_FIRST = ("TRAIN-1", "EMA-1", "EMA-2", "EVAL-1", "STATE", "INIT", "FLAG", "FWD")
"""Cheap, and likely to be the one that kills."""
_LAST = ("SHAPE", "JIT", "VMAP", "GRAD")
BEYOND_THE_PROGRAM = ("INIT", "STATE", "FLAG", "FWD")
"""What judges a mutant with an unchanged program: the families that look at more than values."""
_ACCEPTED = {Outcome.CONFORMS, Outcome.DEVIATES, Outcome.UNSUPPORTED}


def ordered() -> list[Requirement]:
    """Return every requirement: MUST before SHOULD, the likely killers first."""

    def rank(row: Requirement) -> tuple[bool, int]:
        short = row.id.removeprefix("BN-")
        places = [at for at, name in enumerate(_FIRST) if name in {short, row.family}]
        late = len(_FIRST) + (row.family in _LAST)
        return row.level is Level.SHOULD, min([late, *places])

    return sorted(select(REQUIREMENTS), key=rank)


def flagged(implementation: Implementation, rows: list[Requirement]) -> Verdict | None:
    """Return the first verdict that speaks against the implementation, or None."""
    subject = Subject(implementation)
    for row in rows:
        verdict = judge_requirement(row, subject, BUDGET)
        if verdict.outcome not in _ACCEPTED:
            return verdict
    return None


def judge_mutant(mutant: Mutant, target: str, entries: list[str]) -> Result:
    """Judge the mutant as each of the entries; one that cannot be built is killed."""
    unchanged_as: list[str] = []
    for entry in entries:
        try:
            implementation = TARGETS[target].entries[entry](mutant)
        except Exception as error:  # noqa: BLE001  a mutant may raise anything
            return {"outcome": "killed", "by": "build error", "detail": _words(error)}
        if unchanged(mutant, target, entry, implementation):
            unchanged_as.append(entry)
        verdict = flagged(implementation, _rows(entry, unchanged_as))
        if verdict is not None:
            return {
                "outcome": "killed",
                "by": verdict.requirement,
                "entry": entry,
                "level": verdict.level.value,
                "verdict": verdict.outcome.value,
                "cases": BUDGET.max_examples,
                "detail": _why(verdict),
            }
    return {
        "outcome": "survived",
        "entries": entries,
        "unchanged": unchanged_as,
        "cases": BUDGET.max_examples,
    }


def _rows(entry: str, unchanged_as: list[str]) -> list[Requirement]:
    """Return what to judge; a second entry with an unchanged program adds nothing to the first."""
    if entry not in unchanged_as:
        return ordered()
    if len(unchanged_as) > 1:
        return []
    return [row for row in ordered() if row.family in BEYOND_THE_PROGRAM]


def unchanged(mutant: Mutant, target: str, entry: str, implementation: Implementation) -> bool:
    """Tell whether the layer is the program that it was, as far as tracing can tell."""
    if mutant.file == FORWARD:
        return False  # it is not part of the layer
    try:
        return program(implementation) == _original(target, entry)
    except Exception:  # noqa: BLE001  a mutant may raise anything
        return False


@cache
def _original(target: str, entry: str) -> str:
    return program(TARGETS[target].entries[entry](None))


def _why(verdict: Verdict) -> str:
    if verdict.violation is not None:
        return verdict.violation.finding.sentence()[:200]
    return verdict.detail[-300:]


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def baseline(name: str, entry: str) -> Result:
    """Judge the unmutated modules, and note which of their statements are executed."""
    lines.clear()
    with noting_lines():
        implementation = TARGETS[name].entries[entry](None)
    verdict = flagged(implementation, ordered())
    return {
        "outcome": "survived" if verdict is None else f"flagged by {verdict.requirement}",
        "lines": sorted(lines),
    }
