"""The report as Markdown, short enough for a pull request."""

from __future__ import annotations

from conformance.adapters.errors import printable
from conformance.report.causes import causes, format_ids
from conformance.report.model import Report
from conformance.report.summary import describe_gap, describe_trust, summarize_each
from conformance.report.text import format_literal, line_facts, sentence_of
from conformance.requirements.verdict import Outcome, Verdict

_SHOWN = 20
"""Failures that are listed by name."""

_LONGEST = 300
"""Characters of the text of one failure."""


def to_markdown(report: Report) -> str:
    """Return a table of implementations, and the failures in a collapsible list below it."""
    found = report.header.environment
    names = ("batchnorm-conformance", "jax", "flax")
    versions = ", ".join(f"{name} {found[name]}" for name in names if name in found)
    lines = [
        "### BatchNorm conformance",
        "",
        *_causes(report),
        "| implementation | answer | conform | MUST failed | SHOULD failed | worst error÷bound |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for name, counts in summarize_each(report):
        worst = "" if counts.worst is None else f"{counts.worst:.2g}"
        lines.append(
            f"| {code(name)} | **{counts.word}** | {counts.good}/{counts.applicable} "
            f"| {counts.must} | {counts.should} | {worst} |"
        )
    edition = f"edition {code(report.header.edition)} · " if report.header.edition else ""
    profile = f"{code(report.header.profile)} profile"
    lines += ["", *_caution(report), f"{edition}{profile} · {code(versions)}"]
    if trust := describe_trust(report):
        lines += ["", trust]
    lines += _observations(report)
    bad = [verdict for verdict in report.judgements if verdict.outcome.bad]
    waived = [verdict for verdict in report.verdicts if verdict.outcome is Outcome.WAIVED]
    lines += _folded("not conforming", bad) + _folded("waived", waived)
    return "\n".join(lines) + "\n"


def _causes(report: Report) -> list[str]:
    """Return an item for each named mistake: what is wrong, what it explains, the way out."""
    lines = []
    for name in report.header.implementations:
        for cause in causes(report, name):
            if not cause.diagnosis:
                continue
            text = sentence_of(cause.diagnosis)
            if cause.verdicts:
                count = len(cause.verdicts)
                text += f"; explains {count}: {format_ids(cause.verdicts)}"
            remedy = cause.diagnosis.get("remedy", "")
            text += f"; do: {remedy}" if remedy else ""
            lines.append(f"- {code(name)} most likely: {code(text)}")
            where = line_facts(cause.diagnosis.get("line"))
            lines += [f"  - {code(' '.join(where))}"] * bool(where)
    return [*lines, ""] if lines else []


def _caution(report: Report) -> list[str]:
    why = describe_gap(report)
    lines = [f"⚠ This report covers only a part: {why}.", ""] if why else []
    for name, scope in report.scopes().items():
        lines += [f"⚠ {code(name)}: {scope.sentence()}.", ""]
    return lines


def _observations(report: Report) -> list[str]:
    """Return a table of what was observed and not judged; nothing if nothing was."""
    lines = [
        f"| {code(identity)} | {', '.join(map(code, names))} | {code(answer)} |"
        for identity, answers in report.observations().items()
        for answer, names in answers.items()
    ]
    head = ["", "| left open | implementations | observed |", "| --- | --- | --- |"]
    return [*head, *lines] if lines else []


def _folded(title: str, verdicts: list[Verdict]) -> list[str]:
    """Return the verdicts as a collapsible list; nothing if there are none."""
    if not verdicts:
        return []
    lines = ["", f"<details><summary>{len(verdicts)} {title}</summary>", ""]
    lines += [_failure(verdict) for verdict in verdicts[:_SHOWN]]
    if len(verdicts) > _SHOWN:
        lines.append(f"- and {len(verdicts) - _SHOWN} more, in the JSON report")
    return [*lines, "", "</details>"]


def _failure(verdict: Verdict) -> str:
    text = verdict.detail
    if verdict.violation is not None:
        inputs = ", ".join(
            f"{name} = {format_literal(value)}" for name, value in verdict.violation.inputs.items()
        )
        why = f"{verdict.detail}; " if verdict.outcome is Outcome.WAIVED else ""
        text = f"{why}{verdict.violation.finding.sentence()}; {inputs}"
    short = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    head = f"{verdict.requirement} ({verdict.level.value.upper()}), {verdict.outcome.value}"
    return f"- {code(head)} {code(verdict.implementation)}: {code(short)}"


def code(text: str) -> str:
    """Return text as inline code on one line, whatever characters it contains.

    It is HTML with entities: a backtick, a bar or a line break would end a span of Markdown, and
    GitHub would turn user names and issue numbers into links.
    """
    plain = printable(" ".join(text.split()), keep="")
    special = "`|*_[]()~@#\\:!$<>&\"'"
    return f"<code>{''.join(f'&#{ord(c)};' if c in special else c for c in plain)}</code>"
