"""Counts and one-word answers, for the renderings of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.report.model import Report
from conformance.requirements import Level, select
from conformance.requirements.verdict import Outcome, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts over the verdicts on one implementation, or on all those of a report."""

    applicable: int
    good: int
    partial: int
    must: int
    should: int
    errored: int
    errored_must: int
    deviations: int
    waivers: int
    waived_must: int
    worst: float | None
    cases: int
    observed: int

    @property
    def word(self) -> str:
        """The answer in a few words; a failed MUST takes precedence."""
        if not self.applicable:
            return pluralize(self.observed, "observation") if self.observed else "not judged"
        if self.must or self.should:
            return "fails" if self.must else "fails a SHOULD"
        if self.waivers:
            return (
                f"conforms but for {pluralize(self.waivers, 'waiver')}" if self.good else "waived"
            )
        return "conforms"


def summarize(verdicts: list[Verdict]) -> Summary:
    """Return the counts over verdicts; a waived one counts as waived only, a MAY as observed."""
    judged = [v for v in verdicts if v.level is not Level.MAY]
    applicable = [v for v in judged if v.outcome is not Outcome.UNSUPPORTED]
    bad = [v for v in applicable if v.outcome.bad]
    waived = [v for v in applicable if v.outcome is Outcome.WAIVED]
    worst = [v.worst for v in applicable if v.worst is not None]
    return Summary(
        applicable=len(applicable),
        good=sum(v.outcome in {Outcome.CONFORMS, Outcome.DEVIATES} for v in applicable),
        partial=sum(bool(v.left_out) for v in applicable if not v.outcome.bad),
        must=sum(v.level is Level.MUST for v in bad),
        should=sum(v.level is Level.SHOULD for v in bad),
        errored=sum(v.outcome is Outcome.ERRORED for v in bad),
        errored_must=sum(v.outcome is Outcome.ERRORED and v.level is Level.MUST for v in bad),
        deviations=sum(v.outcome is Outcome.DEVIATES for v in applicable),
        waivers=len(waived),
        waived_must=sum(v.level is Level.MUST for v in waived),
        worst=max(worst, default=None),
        cases=sum(v.cases for v in verdicts),
        observed=sum(v.outcome is Outcome.OBSERVED for v in verdicts),
    )


def summarize_each(report: Report) -> list[tuple[str, Summary]]:
    """Return each implementation of a report with its counts, in the order of the header."""
    return [(name, summarize(report.answers_of(name))) for name in report.header.implementations]


def describe_trust(report: Report) -> str:
    """Return which verdicts rest on facts stated by the judged process; empty if none does."""
    names = [identity.removeprefix("BN-") for identity in report.on_word()]
    if not names:
        return ""
    verb = "requirement rests" if len(names) == 1 else "requirements rest"
    return f"{len(names)} {verb} on the word of the judged process: {', '.join(names)}."


def describe_gap(report: Report) -> str:
    """Return why a report covers only a part of the requirements; empty if it covers all."""
    if not report.complete:
        return "incomplete"
    if report.header.shard is not None:
        return f"shard {report.header.shard}"
    judged, there = set(report.header.requirements), report.edition.rows
    wanted = {row.id for row in select(report.rows) if row.id in there}
    if not judged >= wanted:
        return f"{len(judged & wanted)} of {len(wanted)} requirements"
    return ""


def pluralize(count: int, word: str) -> str:
    """Return a count with its noun."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def format_resolution(resolution: Mapping[str, float]) -> str:
    """Return from which size on relative errors are seen, at the loosest and at the largest size.

    Args:
        resolution: The smallest relative error that is seen, by the number of rows.
    """
    rows = max(resolution, key=lambda name: resolution[name])
    largest = max(resolution, key=int)
    sizes = [rows] if rows == largest else [rows, largest]
    return ", ".join(f"{resolution[name]:.1g}{_of_rows(name)}" for name in sizes)


def _of_rows(name: str) -> str:
    return f" at N = {name}" if int(name) else ""
