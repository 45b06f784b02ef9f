"""The answer on one screen: the verdict, its causes, an example of each, and the way out."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import Any

from rich.console import Console

from conformance.report.causes import Cause, causes, format_ids
from conformance.report.detail import Detail
from conformance.report.model import Report
from conformance.report.scope import scope_of
from conformance.report.summary import Summary, summarize_each
from conformance.report.terminal import (
    answer_line,
    escape,
    evidence_lines,
    heading_lines,
    render_conclusion,
    render_findings,
    render_observations,
)
from conformance.report.text import (
    WIDTH,
    diagnosis_facts,
    format_literal,
    mined_lines,
    recognition_lines,
    rerun_command,
    run_options,
    sentence_of,
)
from conformance.requirements import REQUIREMENTS
from conformance.requirements.requirement import family_of
from conformance.requirements.verdict import Outcome, Verdict

_CAUSES = 3
"""Causes that are shown; the others are counted."""

_MOST = 40
"""Lines of an answer."""

_INDENT = "    "


def render_report(
    report: Report, console: Console, detail: Detail, printed: Verdict | None = None
) -> None:
    """Print a report in the chosen detail.

    Args:
        report: The report.
        console: Where to print.
        detail: How much to print.
        printed: The verdict that was printed with the heading while the run was ending.
    """
    if detail is Detail.LINE:
        render_quietly(report, console)
    elif detail is Detail.SCREEN:
        render_screen(report, console, printed)
    else:
        render_findings(report, console, printed)
        render_conclusion(report, console)


def render_screen(report: Report, console: Console, printed: Verdict | None = None) -> None:
    """Print at most a screen per implementation.

    Args:
        report: The report.
        console: Where to print.
        printed: The verdict that was printed with the heading while the run was ending.
    """
    if printed is None:
        for line in heading_lines(report):
            console.print(line, markup=False, highlight=False)
    for name in report.header.implementations:
        console.print()
        first, *rest = answer_lines(report, name, printed)
        console.print(escape(first), style="bold", highlight=False, soft_wrap=True)
        for line in rest:
            console.print(escape(line), highlight=False, soft_wrap=True)
    render_observations(report, console)
    console.print()
    for line in evidence_lines(report, brief=True):
        console.print(line, highlight=False)


def render_quietly(report: Report, console: Console) -> None:
    """Print one line per implementation, and what is missing from an incomplete report."""
    for name, sums in summarize_each(report):
        words = [answer_line(name, sums)]
        words += [f"{scope.sentence()}." for scope in (scope_of(report.of(name)),) if scope]
        named = [cause for cause in causes(report, name) if cause.diagnosis]
        binding = [c for c in named if c.binding or not c.verdicts or not sums.must]
        words += [f"{_capitalize(sentence_of(c.diagnosis))}." for c in binding]
        console.print(escape(" ".join(words)), highlight=False, soft_wrap=True)
    if not report.complete:
        console.print(evidence_lines(report, brief=True)[-1], highlight=False)


def answer_lines(
    report: Report, name: str, printed: Verdict | None = None, *, commands: bool = True
) -> list[str]:
    """Return the answer on one implementation as lines: its causes first, nothing said twice.

    Args:
        report: The report.
        name: The implementation.
        printed: A verdict that needs no example, since it has been printed.
        commands: Add the commands to go on with.
    """
    verdicts = report.of(name)
    sums = dict(summarize_each(report))[name]
    lines = [f"{_mark(sums)} {answer_line(name, sums)}"]
    if scope := scope_of(verdicts):
        lines += _wrap(f"{scope.sentence()}.", "  ", 2)
    lines += [f" {line}" for line in recognition_lines(report.recognitions.get(name))]
    lines += [f" {line}" for line in mined_lines(report.mined.get(name))] * bool(sums.applicable)
    found = causes(report, name)
    lines += _unknown(report.diagnoses.get(name, {}))
    last = [""] * bool(found) + _remarks(verdicts, sums)
    bad = [v for v in (cause.example for cause in found) if v is not None]
    if bad and commands:
        last += _commands(bad[0], report)
    return [*lines, *_shown_causes(found, printed, _MOST - len(lines) - len(last)), *last]


def _shown_causes(found: list[Cause], printed: Verdict | None, most: int) -> list[str]:
    """Return the causes in the most detail that fits, and the number of those left out."""
    several = sum(bool(cause.diagnosis) for cause in found)
    lines: list[str] = []
    for shown, room in product(range(_CAUSES, 0, -1), _ROOMS[max(1, min(several, _CAUSES)) - 1 :]):
        lines = []
        for number, cause in enumerate(found[:shown], 1):
            lines += ["", *_cause_lines(cause, number, len(found), printed, room)]
        if hidden := [v for cause in found[shown:] for v in cause.verdicts]:
            lines.append(f" Besides: {len(hidden)} violations with other causes.")
        if len(lines) <= most:
            break
    return lines


def _mark(sums: Summary) -> str:
    if not sums.applicable and sums.observed:
        return "·"
    return "✗" if sums.must else "!" if sums.should or not sums.applicable else "✓"


def _unknown(diagnosis: dict[str, Any]) -> list[str]:
    """Return what is known where no known mistake fits."""
    if diagnosis.get("kind") != "none":
        return []
    return ["", *_wrap(diagnosis["sentence"], " ", 2), *diagnosis_facts(diagnosis, most=7)]


@dataclass(frozen=True, slots=True)
class _Room:
    """The most lines for parts of a cause: the facts, the requirements, the example."""

    facts: int
    ids: int
    example: int


_ROOMS = _Room(9, 4, 6), _Room(5, 3, 4), _Room(2, 2, 3), _Room(1, 1, 2)
"""The first for one named mistake, the next ones for more, or where an answer would be too long."""


def _cause_lines(
    cause: Cause, number: int, total: int, printed: Verdict | None, room: _Room
) -> list[str]:
    lead = f" {number}. " if total > 1 else " "
    count = len(cause.verdicts)
    lines: list[str] = []
    if cause.diagnosis:
        lines += _wrap(_capitalize(sentence_of(cause.diagnosis)) + ".", lead, 4)
        brief = room != _ROOMS[0]
        lines += diagnosis_facts(cause.diagnosis, brief=brief, most=room.facts)
        if cause.verdicts:
            ids = format_ids(cause.verdicts)
            lines += _wrap(f"Explains {count}: {ids}.", _INDENT, room.ids)
    else:
        rest = "Not explained" if total > 1 else "Violated"
        rest = "Not checked whether that explains" if cause.unchecked else rest
        words = "End in the same way" if cause.shared else rest
        should = "" if cause.binding else ", SHOULD"
        ids = format_ids(cause.verdicts)
        lines += _wrap(f"{words}{should}: {count}: {ids}.", lead, room.ids)
    example = cause.example
    if example is not None and example != printed and not cause.unchecked:
        lines += _example(example)[: room.example]
    return lines


def _example(verdict: Verdict) -> list[str]:
    """Return the smallest counterexample of a cause: the finding and its inputs."""
    head = f"{verdict.requirement} ({verdict.level.value.upper()})"
    if verdict.violation is None:
        return _wrap(f"{head}, {verdict.outcome.value}: {verdict.detail}", _INDENT, 3)
    flaky = ", not each time" * verdict.violation.flaky
    lines = _wrap(f"{head}{flaky}: {verdict.violation.finding.sentence()}", _INDENT, 3)
    inputs = (f"{name} = {format_literal(v)}" for name, v in verdict.violation.inputs.items())
    return lines + _wrap("; ".join(inputs), _INDENT + "  ", 3)


def _remarks(verdicts: list[Verdict], sums: Summary) -> list[str]:
    """Return a line each for what conforms, what is waived and what was not judged."""
    lines = []
    families: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.outcome is not Outcome.UNSUPPORTED:
            families.setdefault(family_of(verdict.requirement), []).append(verdict)
    good = [f for f, v in families.items() if not any(o.outcome.bad for o in v)]
    if good:
        shown = (
            ", ".join(good)
            if sums.must or sums.should
            else f"{len(good)} of {len(families)} families"
        )
        worst = "" if sums.worst is None else f" (worst error ÷ bound {sums.worst:.2f})"
        lines += _wrap(f"Conform{worst}: {shown}.", " ", 3)
    waived = [v for v in verdicts if v.outcome is Outcome.WAIVED]
    if waived:
        lines += _wrap(f"Waived: {len(waived)}: {format_ids(waived)}.", " ", 2)
    if line := describe_unjudged(verdicts):
        lines += _wrap(line, " ", 2)
    for verdict in verdicts:
        if verdict.left_out:
            lines += _wrap(f"Left out of {verdict.requirement}: {verdict.left_out}.", " ", 2)
    return lines


def describe_unjudged(verdicts: list[Verdict]) -> str:
    """Return how many requirements were not judged and why; empty if all were."""
    apart = [v for v in verdicts if v.outcome is Outcome.UNSUPPORTED and not v.left_out]
    if not apart:
        return ""
    why = Counter(REQUIREMENTS[v.requirement].needs.value for v in apart)
    reasons = ", ".join(f"{reason} {count}" for reason, count in why.items())
    return f"Not judged: {len(apart)} requirements, which need what it does not offer: {reasons}."


def _commands(example: Verdict, report: Report) -> list[str]:
    again = rerun_command(example, run_options(report.header))
    lines = [f" Again:  {again}"]
    if example.violation is not None and example.violation.id:
        lines.append(f" Replay: conformance replay {example.violation.id}")
    return [*lines, " Each violation in full: -v. What one requires: conformance explain ID."]


def _wrap(text: str, lead: str, most: int) -> list[str]:
    """Return text in at most so many lines, shortened if it has more."""
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=lead, subsequent_indent=" " * max(len(lead), 2)
    )
    return (
        lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][: WIDTH - 2] + " …"]
    )


_SYMBOLS = ("dx", "x", "y", "z", "rm", "rv")


def _capitalize(text: str) -> str:
    symbol = not text[:2].isascii() or text.partition(" ")[0] in _SYMBOLS  # ε is not Ε
    return text if symbol else text[:1].upper() + text[1:]
