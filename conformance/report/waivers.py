"""Waivers: known violations, with a reason, an issue and perhaps an expiry date.

Waivers are strict: one that waives nothing is an error, so that a file never goes stale.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.adapters.former_names import describe_renamed
from conformance.requirements.verdict import Outcome, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One waived violation.

    Attributes:
        requirement: The id of the requirement.
        implementation: The name of the implementation in the run.
        reason: Why the violation is accepted.
        issue: Where it is tracked.
        expires: The last day on which the waiver is valid; None if it does not expire.
        diagnosis: Words that the diagnosis of the implementation must contain.
        pin: An encoded counterexample.
    """

    requirement: str
    implementation: str
    reason: str
    issue: str
    expires: datetime.date | None = None
    diagnosis: str = ""
    pin: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The waiver in messages."""
        return f"the waiver of {self.requirement} for {self.implementation}"


def find_waiver(waivers: Iterable[Waiver], requirement: str, implementation: str) -> Waiver | None:
    """Return the waiver of a pair; None if there is none.

    Args:
        waivers: All waivers of the file.
        requirement: The id of the requirement.
        implementation: The name of the implementation.
    """
    for waiver in waivers:
        if (waiver.requirement, waiver.implementation) == (requirement, implementation):
            return waiver
    return None


def apply_waiver(verdict: Verdict, waiver: Waiver | None, *, pinned: bool = False) -> Verdict:
    """Return the verdict, waived if it is a violation with a waiver.

    Args:
        verdict: The verdict.
        waiver: The waiver of its pair, if there is one.
        pinned: Whether the verdict is about the pinned case.
    """
    if waiver is None or verdict.outcome is not Outcome.VIOLATES:
        return verdict
    how = "; the pinned case still violates, and no other was looked for" if pinned else ""
    detail = f"waived: {waiver.reason} ({waiver.issue}){how}"
    return replace(verdict, outcome=Outcome.WAIVED, detail=detail)


def judge_with_waiver(
    waiver: Waiver | None, judge: Callable[[Mapping[str, Any] | None], Verdict]
) -> Verdict:
    """Return the verdict of ``judge``, waived if the waiver applies.

    Args:
        waiver: The waiver of the pair, if there is one.
        judge: Called first with the pinned case, if there is one; with None, which means all
            cases, only if the pinned case no longer violates the requirement.
    """
    if waiver is not None and waiver.pin:
        pinned = judge(waiver.pin)
        if pinned.outcome is Outcome.VIOLATES:
            return apply_waiver(pinned, waiver, pinned=True)
        if pinned.outcome is Outcome.ERRORED:
            return replace(pinned, detail=f"the pin of {waiver.title}: {pinned.detail}")
    return apply_waiver(judge(None), waiver)


def describe_stale(
    waivers: Iterable[Waiver],
    verdicts: Mapping[tuple[str, str], Verdict],
    names: Iterable[str],
    diagnoses: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[str]:
    """Return a sentence for each waiver that a run has shown to be stale.

    Args:
        waivers: All waivers of the file.
        verdicts: By requirement and implementation. Waivers of pairs without a verdict are
            ignored.
        names: The implementations judged.
        diagnoses: By implementation; None if no diagnosis was made.
    """
    waivers = list(waivers)
    sentences = describe_unmatched(waivers, names)
    for waiver in waivers:
        verdict = verdicts.get((waiver.requirement, waiver.implementation))
        if verdict is not None:
            diagnosis = None if diagnoses is None else diagnoses.get(waiver.implementation, {})
            sentences.append(describe_mismatch(waiver, verdict, diagnosis))
    return [sentence for sentence in sentences if sentence]


def describe_unmatched(waivers: Iterable[Waiver], names: Iterable[str]) -> list[str]:
    """Return a sentence for each waiver whose implementation was not judged."""
    judged = set(names)
    shown = ", ".join(sorted(judged))
    unmatched = [waiver for waiver in waivers if waiver.implementation not in judged]
    return [
        f"{each.title} matches nothing: {describe_renamed(each.implementation)}"
        if describe_renamed(each.implementation)
        else f"{each.title} matches nothing: judged was {shown}."
        for each in unmatched
    ]


def describe_mismatch(
    waiver: Waiver, verdict: Verdict, diagnosis: Mapping[str, Any] | None = None
) -> str:
    """Return why a waiver does not fit the verdict on its pair; empty if it does.

    Args:
        waiver: The waiver.
        verdict: The verdict on the same pair.
        diagnosis: The most likely mistake; empty if none was found, None if none was sought.
    """
    if verdict.outcome is Outcome.UNSUPPORTED:
        return f"{waiver.title} waives a requirement that does not apply. Remove it."
    if verdict.outcome in {Outcome.CONFORMS, Outcome.DEVIATES}:
        return f"{waiver.title} is no longer needed: the implementation conforms. Remove it."
    if waiver.diagnosis and diagnosis is not None and verdict.outcome is Outcome.WAIVED:
        sentence = str(diagnosis.get("sentence", "none"))
        if waiver.diagnosis.lower() not in sentence.lower():
            return f"{waiver.title} expects {waiver.diagnosis!r}, but the diagnosis is: {sentence}."
    return ""
