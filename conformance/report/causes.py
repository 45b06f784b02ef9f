"""Groups the violations of an implementation by their cause: what binds before what should."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS, Level
from conformance.requirements.verdict import Outcome, Verdict


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Cause:
    """Violations that have one cause, or of which no cause is known.

    Attributes:
        verdicts: Those that it explains, MUST first; empty if that was not verified.
        diagnosis: The named mistake; empty for other causes.
        shared: The violations fail in the same way, though why is not known.
        unchecked: Whether the named mistake explains them could not be checked.
        others: The ids of those that another mistake explains, too.
    """

    verdicts: tuple[Verdict, ...]
    diagnosis: dict[str, Any]
    shared: bool = False
    unchecked: bool = False
    others: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """What is wrong, where, and the ids of what it explains; the verdicts are long."""
        words = self.sentence or "no known cause"
        place = f" at {self.line['file']}:{self.line['line']}" if self.line else ""
        return f"<Cause: {words}{place}; {', '.join(v.requirement for v in self.verdicts)}>"

    @property
    def sentence(self) -> str:
        """What is wrong, as far as it is known; empty if it is not."""
        return str(self.diagnosis.get("sentence", ""))

    @property
    def line(self) -> dict[str, Any] | None:
        """The expression that computes the wrong value: file, line, column, text; or None."""
        found: dict[str, Any] | None = self.diagnosis.get("line")
        return found

    @property
    def binding(self) -> bool:
        """Whether a MUST is among them."""
        return any(verdict.level is Level.MUST for verdict in self.verdicts)

    @property
    def ranked(self) -> list[Verdict]:
        """The verdicts by the size of the counterexample; one on a MUST comes first.

        Before them come those that no other mistake explains.
        """
        return sorted(self.verdicts, key=lambda v: (v.requirement in self.others, *_size(v)))

    @property
    def example(self) -> Verdict | None:
        """The first of the ranked verdicts."""
        return next(iter(self.ranked), None)


def causes(report: Report, name: str) -> list[Cause]:
    """Return the causes of the violations of one implementation, binding ones first.

    A named mistake claims only the violations that it was verified to explain. The others are
    grouped if an operation ends in the same way, and come last if they do not.
    """
    bad = sort_binding_first(v for v in report.of(name) if v.outcome.bad)
    named = named_mistakes(report.diagnoses.get(name, {}))
    found = [
        Cause(verdicts=_chosen(bad, diagnosis.get("explains", ())), diagnosis=diagnosis)
        for diagnosis in named
    ]
    times = Counter(verdict.requirement for cause in found for verdict in cause.verdicts)
    shared = frozenset(identity for identity, count in times.items() if count > 1)
    found, claimed = [replace(cause, others=shared) for cause in found], set(times)
    unchecked = _chosen(bad, {v for each in named for v in each.get("unchecked", ())} - claimed)
    settled = claimed.union(verdict.requirement for verdict in unchecked)
    groups: dict[str, list[Verdict]] = {}
    for verdict in bad:
        if verdict.requirement not in settled:
            groups.setdefault(shared_cause(verdict), []).append(verdict)
    rest = tuple(groups.pop("", ()))
    found += [Cause(verdicts=tuple(v), diagnosis={}, shared=True) for v in groups.values()]
    found += [Cause(verdicts=rest, diagnosis={})] * bool(rest)
    found += [Cause(verdicts=unchecked, diagnosis={}, unchecked=True)] * bool(unchecked)
    must = any(verdict.level is Level.MUST for verdict in bad)

    def rank(cause: Cause) -> tuple[bool, bool, bool]:
        verified = not cause.diagnosis or "explains" in cause.diagnosis
        unjudged = all(v.outcome is Outcome.ERRORED for v in cause.verdicts) and cause.shared
        return cause.unchecked, must and verified and not cause.binding, unjudged

    return sorted(found, key=rank)


def named_mistakes(diagnosis: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the mistakes that a diagnosis names, each as a diagnosis."""
    named = diagnosis.get("kind", "none") != "none"
    return [diagnosis, *diagnosis.get("further", ())] if named else []


def _chosen(verdicts: Iterable[Verdict], ids: Iterable[str]) -> tuple[Verdict, ...]:
    chosen = set(ids)
    return tuple(verdict for verdict in verdicts if verdict.requirement in chosen)


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
    families: dict[str, list[int]] = {}
    for verdict in verdicts:
        row = REQUIREMENTS[verdict.requirement]
        families.setdefault(row.family, []).append(row.number)
    return "; ".join(
        f"{family} {', '.join(map(str, sorted(numbers)))}" for family, numbers in families.items()
    )


def _size(verdict: Verdict) -> tuple[bool, bool, int]:
    """Return a key by which the counterexample that is quickest to read is the smallest."""
    violation = verdict.violation
    ratio = None if violation is None else violation.finding.ratio
    missing = ratio is None or not math.isfinite(ratio)
    inputs = "" if violation is None else json.dumps(violation.inputs)
    return verdict.level is not Level.MUST, missing, len(inputs)
