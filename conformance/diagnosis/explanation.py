"""The diagnosis for a report: verified on the violations, and what is known without one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from math import inf
from typing import Any

from conformance.adapters.implementation import Declaration, Implementation
from conformance.diagnosis.deadline import OutOfTimeError, looking_until
from conformance.diagnosis.diagnosis import Investigation, investigate
from conformance.diagnosis.gradients_besides import add_gradients
from conformance.diagnosis.known_facts import known_facts, where_seen
from conformance.diagnosis.lines.finder import Lines
from conformance.diagnosis.lines.line import Line
from conformance.diagnosis.lines.masked_and_folded import DOMAIN, find_domain_line
from conformance.diagnosis.matching import gather
from conformance.diagnosis.record import Diagnosis
from conformance.diagnosis.replaced import find_replaced
from conformance.diagnosis.search import parts_of
from conformance.diagnosis.verification import Explained, Trial, suggested_by, try_declaring, verify
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Level
from conformance.requirements.requirement import family_of
from conformance.requirements.verdict import Verdict

VERIFYING = 30
"""Seconds from the question after which nothing more is verified."""

_TRACED = 2
"""Violated requirements of the extended domain whose calls are traced."""

_THROUGH = "BN-GRAD-8"
"""The requirement on the gradient through the running statistics."""

_NOTHING = "No known mistake reproduces what it returned."
_NO_TIME = "There was no time to try all known mistakes."
_UNTRIED = "No designed call was made."
_RIGHT = "All designed calls return what they should: what is violated shows elsewhere."


@dataclass(frozen=True, slots=True)
class Examined:
    """An implementation that has been diagnosed.

    Attributes:
        subject: The implementation.
        found: Its diagnosis.
        lines: The line of each named mistake, or of what is wrong where none is named.
    """

    subject: Subject
    found: Investigation
    lines: list[Line | None]

    def explain(self, verdicts: list[Verdict], until: float) -> dict[str, Any]:
        """Verify the diagnosis on what the implementation violates.

        Args:
            verdicts: The violations, as judged; none to diagnose only.
            until: When to stop verifying, in seconds since 1970.

        Returns:
            The diagnosis as JSON values. Besides its fields it has ``explains`` and ``unchecked``,
            ids of requirements, if it was verified; ``declaring``, what would remain violated if
            what it suggests were declared; ``further``, mistakes that are made besides;
            ``partial``, if what it names is not all; ``known``, sentences on what was observed and
            is not named; ``line``, the expression that computes what is wrong, if it was found.
        """
        found = add_gradients(self.subject, self.found, verdicts)
        data = _explain(found, self.subject, verdicts, until)
        dropped = data["kind"] != self.found.diagnosis.kind
        lines = [] if dropped else [*self.lines, *_gradient_lines(self.subject, found)]
        for each, line in zip((data, *data.get("further", ())), lines, strict=False):
            each.update({} if line is None else {"line": line.to_json()})
        evidence = self.found.evidence
        if data["kind"] == "none" and (evidence.has_ranks or not evidence.deviant):
            data |= _domain_line(self.subject, verdicts)
        replaced = find_replaced(self.subject, verdicts)
        if replaced is None:
            return data
        if data["kind"] == "none":
            return replaced | {name: data[name] for name in ("known", "line") if name in data}
        named = [{n: v for n, v in data.items() if n != "further"}, *data.get("further", ())]
        return replaced | {"further": named}

    def likely(self) -> list[dict[str, Any]]:
        """Return the mistakes that it seems to make, before any of them is verified."""
        if self.found.diagnosis.kind == "none":
            return []
        named = [self.found.diagnosis, *self.found.further]
        return [
            {"sentence": each.sentence} | ({} if line is None else {"line": line.to_json()})
            for each, line in zip_longest(named, self.lines[: len(named)])
        ]


def _gradient_lines(subject: Subject, found: Investigation) -> list[Line | None]:
    """Return the lines of mistakes in the gradients besides those in calls."""
    with suppress(OutOfTimeError):
        return Lines(subject).find_in_gradients(found)
    return []


def _domain_line(subject: Subject, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the line of what only the extended domain shows, as part of a diagnosis."""
    ids = [v.requirement for v in verdicts if family_of(v.requirement) in DOMAIN]
    with suppress(OutOfTimeError):
        lines = (find_domain_line(subject, identity) for identity in ids[:_TRACED])
        line = next((line for line in lines if line is not None), None)
        return {} if line is None else {"line": line.to_json()}
    return {}


def examine(subject: Subject, until: float = inf) -> Examined:
    """Diagnose an implementation, and find the lines of its mistakes.

    Args:
        subject: The implementation.
        until: When to stop looking, in seconds since 1970.
    """
    with looking_until(until):
        found = investigate(subject)
        try:
            return Examined(subject, found, find_lines(subject, found))
        except OutOfTimeError:
            return Examined(subject, found, [])


def find_lines(subject: Subject, found: Investigation) -> list[Line | None]:
    """Return the line of each named mistake, or of what is wrong where none is named."""
    lines = Lines(subject)
    if subject.conventions.counts():  # what a layer counts is not written exactly
        return []
    if not found.matches and (found.calls.deviant or found.evidence.deviant):
        return [lines.find_unnamed(found)]
    return lines.find(found)


def _explain(
    found: Investigation, subject: Subject, verdicts: list[Verdict], until: float
) -> dict[str, Any]:
    """Return the diagnosis without lines."""
    ordered = sorted(verdicts, key=lambda v: REQUIREMENTS[v.requirement].level is not Level.MUST)
    data = found.diagnosis.to_json()
    if found.diagnosis.kind == "none":
        return data | _unnamed(found, subject, ordered, until)
    further = [each.to_json() for each in found.further]
    if not found.matches or not verdicts:
        return data
    checked = _verified(found, subject.implementation, ordered, until)
    named = (found.diagnosis, *found.further)
    trial = _try_declaring(named, subject, ordered, until)
    if trial is not None:
        at = next(i for i, each in enumerate(named) if suggested_by([each]))
        checked[at] = _credit(checked[at], trial)
        if trial.effective:
            suggests = (each for each in (data, *further) if _names_any(each, trial.names))
            next(suggests)["declaring"] = trial.to_json()
        else:  # it would change nothing: so it is not suggested
            for each in (data, *further):
                each.pop("convention", None)
    if not any(each is None or _is_credible(each, verdicts) for each in checked):
        return {
            "kind": "none",
            "sentence": _NOTHING,
            "known": known_facts(found.calls, found.evidence),
        }
    for each, explained in zip((data, *further), checked, strict=True):
        if explained is not None:
            each |= {"explains": explained.explains, "unchecked": explained.unchecked}
    if not found.complete:
        known = parts_of(found.matches)
        rest = gather(found.evidence.observations, found.evidence.conventions, known)
        calls = rest if found.evidence is found.calls else found.calls
        data |= {"partial": True, "known": known_facts(calls, rest)}
    return data | ({"further": further} if further else {})


def _unnamed(
    found: Investigation, subject: Subject, verdicts: list[Verdict], until: float
) -> dict[str, Any]:
    """Return what is known without a mistake; nothing if no designed call returned."""
    known = known_facts(found.calls, found.evidence)
    if found.calls.observations and not known:
        return {}
    if found.hurried:
        return {"sentence": _NO_TIME, "known": known}
    if found.evidence.deviant:
        return {"sentence": _NOTHING, "known": known}
    known = [*where_seen(subject, verdicts, until), *known]
    return {"sentence": _RIGHT if found.calls.observations else _UNTRIED, "known": known}


def _verified(
    found: Investigation,
    declared: Declaration | Implementation,
    verdicts: list[Verdict],
    until: float,
) -> list[Explained | None]:
    """Return what each mistake explains; None if it claims too little for a layer to make it."""
    deviant = [found.evidence.observations[index].call for index in found.evidence.deviant]
    if all(call is not None and call.kind == "through" for call in deviant):
        return [Explained([v.requirement for v in verdicts if v.requirement == _THROUGH])]
    exact = [match for match in found.matches if not match.alternative.widens]
    checked = iter(verify(exact, declared, verdicts, until) if exact else ())
    return [None if each.alternative.widens else next(checked) for each in found.matches]


def _is_credible(explained: Explained, verdicts: Sequence[Verdict]) -> bool:
    """Return whether a mistake explains a violation, or too few could be checked to deny that."""
    return bool(explained.explains) or 2 * len(explained.unchecked) > len(verdicts)


def _names_any(diagnosis: dict[str, Any], names: Sequence[str]) -> bool:
    return any(name in diagnosis.get("convention", "") for name in names)


def _try_declaring(
    named: Sequence[Diagnosis], subject: Subject, verdicts: list[Verdict], until: float
) -> Trial | None:
    """Try what a diagnosis suggests to declare; None if it suggests nothing."""
    suggested = suggested_by(named)
    if not suggested or suggested <= subject.implementation.deviations:
        return None
    return try_declaring(subject, suggested, verdicts, until)


def _credit(checked: Explained | None, trial: Trial) -> Explained:
    """Add what conforms once the mistake is declared: that the mistake explains."""
    before = checked or Explained([], [*trial.untried])
    explains = list(dict.fromkeys([*before.explains, *trial.solved]))
    return Explained(explains, [name for name in before.unchecked if name not in explains])
