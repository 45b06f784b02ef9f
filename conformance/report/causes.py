"""Groups the violations of an implementation by their cause: what binds before what should."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS, Level
from conformance.requirements.verdict import Outcome, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Violations that have one cause, or of which no cause is known.

    Attributes:
        verdicts: Those that it explains, MUST first; empty if that was not verified.
        diagnosis: The named mistake; empty for other causes.
        shared: The violations fail in the same way, though why is not known.
        unchecked: Whether the named mistake explains them could not be checked.
    """

    verdicts: tuple[Verdict, ...]
    diagnosis: dict[str, Any]
    shared: bool = False
    unchecked: bool = False

    @property
    def binding(self) -> bool:
        """Whether a MUST is among them."""
        return any(verdict.level is Level.MUST for verdict in self.verdicts)

    @property
    def example(self) -> Verdict | None:
        """The verdict with the smallest counterexample, of a MUST if there is one."""
        return min(self.verdicts, key=_size, default=None)


def causes(report: Report, name: str) -> list[Cause]:
    """Return the causes of the violations of one implementation, binding ones first.

    A named mistake claims only the violations that it was verified to explain. The others are
    grouped if an operation ends in the same way, and come last if they do not.
    """
    bad = sort_binding_first(v for v in report.of(name) if v.outcome.bad)
    diagnosis = report.diagnoses.get(name, {})
    named = diagnosis.get("kind", "none") != "none"
    explained = set(diagnosis.get("explains", ()))
    mine = tuple(v for v in bad if v.requirement in explained)
    found = [Cause(verdicts=mine, diagnosis=diagnosis)] * named
    open_ids = set(diagnosis.get("unchecked", ()))
    unchecked = tuple(v for v in bad if v.requirement in open_ids)
    groups: dict[str, list[Verdict]] = {}
    for verdict in bad:
        if verdict not in mine and verdict not in unchecked:
            groups.setdefault(shared_cause(verdict), []).append(verdict)
    rest = tuple(groups.pop("", ()))
    found += [Cause(verdicts=tuple(v), diagnosis={}, shared=True) for v in groups.values()]
    found += [Cause(verdicts=rest, diagnosis={})] * bool(rest)
    found += [Cause(verdicts=unchecked, diagnosis={}, unchecked=True)] * bool(unchecked)
    must = any(verdict.level is Level.MUST for verdict in bad)

    def rank(cause: Cause) -> tuple[bool, bool]:
        verified = not cause.diagnosis or "explains" in diagnosis
        return cause.unchecked, must and verified and not cause.binding

    return sorted(found, key=rank)


def sort_binding_first(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Return verdicts with those on a MUST first, else in their order."""
    return sorted(verdicts, key=lambda verdict: verdict.level is not Level.MUST)


def shared_cause(verdict: Verdict) -> str:
    """Return a key that verdicts with the same cause share; empty if the cause is unknown.

    The cause is known if the suite could not judge, or if an operation did not return.
    """
    if verdict.outcome is Outcome.ERRORED:
        return verdict.detail
    finding = verdict.violation.finding if verdict.violation is not None else None
    if finding is None or not finding.kind.without_result:
        return ""
    return f"{finding.operation} {finding.step}: {finding.got}"


def format_ids(verdicts: Iterable[Verdict]) -> str:
    """Return the ids of verdicts by family, such as ``EMA 1, 2; INIT 8``."""
    families: dict[str, list[str]] = {}
    for verdict in verdicts:
        row = REQUIREMENTS[verdict.requirement]
        families.setdefault(row.family, []).append(str(row.number))
    return "; ".join(f"{family} {', '.join(numbers)}" for family, numbers in families.items())


def _size(verdict: Verdict) -> tuple[bool, bool, int]:
    """Return a key by which the counterexample that is quickest to read is the smallest."""
    violation = verdict.violation
    ratio = None if violation is None else violation.finding.ratio
    missing = ratio is None or not math.isfinite(ratio)
    inputs = "" if violation is None else json.dumps(violation.inputs)
    return verdict.level is not Level.MUST, missing, len(inputs)
