"""The report as one self-contained HTML file."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from conformance.adapters.errors import printable
from conformance.report.model import Report
from conformance.report.plots import MARKS, WIDTH, errors, ratio, times
from conformance.report.screen import answer_lines
from conformance.report.summary import (
    describe_gap,
    describe_trust,
    format_resolution,
    summarize_each,
)
from conformance.report.terminal import heading_lines
from conformance.report.text import format_diagnosis, format_literal, rerun_command, run_options
from conformance.requirements import REQUIREMENTS
from conformance.requirements.requirement import family_of
from conformance.requirements.verdict import Outcome, Verdict

_HERE = Path(__file__).parent
_MARKS = {"conforms": "✓", "violates": "✗", "deviates": "≈", "observed": "·", "unsupported": "–"}


def to_html(report: Report) -> str:
    """Return the page, whose content security policy allows only its script and style."""
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    loader = FileSystemLoader(_HERE)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_shown, trim_blocks=True
    )
    identities = _identities(report)
    return environment.get_template("page.html.jinja").render(
        policy=policy,
        style=Markup(style),  # noqa: S704  a file of this package
        script=Markup(script),  # noqa: S704  a file of this package
        answers=summarize_each(report),
        partial=describe_gap(report),
        scopes=report.scopes().items(),
        trust=describe_trust(report),
        heading=heading_lines(report),
        side_effects=report.side_effects.items(),
        causes=_causes(report),
        families=list(dict.fromkeys(family_of(identity) for identity in identities)),
        outcomes=[outcome.value for outcome in Outcome],
        rows=_rows(report, identities),
        width=WIDTH,
        marks=MARKS,
        legend=[(name, n % len(MARKS)) for n, name in enumerate(report.header.implementations)],
        errors=errors(report, identities),
        times=times(report, identities),
    )


def _shown(value: object) -> object:
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _identities(report: Report) -> list[str]:
    """Return the ids in a report in the order of the table, unknown ones last."""
    there = dict.fromkeys((*report.header.requirements, *(v.requirement for v in report.verdicts)))
    known = [identity for identity in REQUIREMENTS if identity in there]
    return known + [identity for identity in there if identity not in REQUIREMENTS]


def _causes(report: Report) -> list[str]:
    """Return the answer, causes first, on each implementation that violates something."""
    return [
        "\n".join(answer_lines(report, name, commands=False))
        for name in report.header.implementations
        if any(verdict.outcome.bad for verdict in report.of(name))
    ]


def _diagnoses(report: Report) -> dict[str, str]:
    return {
        name: "\n".join(format_diagnosis(name, found)) for name, found in report.diagnoses.items()
    }


def _rows(report: Report, identities: list[str]) -> list[dict[str, Any]]:
    by_pair = {(v.requirement, v.implementation): v for v in report.verdicts}
    texts, rows = _diagnoses(report), []
    for identity in identities:
        row = report.rows.get(identity)
        found = [by_pair.get((identity, name)) for name in report.header.implementations]
        rows.append(
            {
                "id": identity,
                "family": family_of(identity),
                "level": row.level.value.upper() if row else "",
                "statement": row.statement if row else "not a requirement of this version",
                "formula": row.formula if row else "",
                "cells": [v and _cell(v, report, texts.get(v.implementation, "")) for v in found],
            }
        )
    return rows


def _cell(verdict: Verdict, report: Report, diagnosis: str) -> dict[str, Any]:
    worst = "" if verdict.worst is None else f"{verdict.worst:.2g}"
    shown = ratio(verdict)
    note = "" if shown is None else f"{shown:.2g}"
    facts = [("cases", str(verdict.cases))]
    facts += [("rejected", str(verdict.rejected))] * (verdict.rejected > 0)
    facts += [("left out", str(verdict.cut))] * (verdict.cut > 0)
    facts += [("comparisons", str(verdict.comparisons))]
    facts += [("worst accepted error ÷ bound", f"{worst} ({verdict.worst_quantity})")] * bool(worst)
    if verdict.resolution:
        facts += [("sees relative errors from", format_resolution(verdict.resolution))]
    facts += [("time", f"{verdict.seconds:.2f} s")]
    return {
        "outcome": verdict.outcome.value,
        "mark": _MARKS.get(verdict.outcome.value, "!"),
        "who": verdict.implementation,
        "note": verdict.detail if verdict.outcome is Outcome.OBSERVED else note,
        "facts": facts,
        "finding": _finding(verdict),
        "detail": verdict.detail,
        "diagnosis": diagnosis if verdict.outcome is Outcome.VIOLATES else "",
        "again": _again(verdict, report),
    }


def _again(verdict: Verdict, report: Report) -> str:
    """Return the commands that judge the pair again and that replay the counterexample."""
    identity = verdict.violation.id if verdict.violation is not None else ""
    replay = [f"conformance replay {identity}"] * bool(identity)
    return "\n".join((rerun_command(verdict, run_options(report.header)), *replay))


def _finding(verdict: Verdict) -> str:
    if verdict.violation is None:
        return ""
    inputs = (f"{name} = {format_literal(v)}" for name, v in verdict.violation.inputs.items())
    steady = ["(not each time)"] * verdict.violation.flaky
    return "\n".join((verdict.violation.finding.sentence(), *inputs, *steady))
