"""The causes in a report as workflow commands of GitHub Actions, which annotate lines of code."""

from __future__ import annotations

from conformance.adapters.errors import printable
from conformance.report.causes import Cause, format_ids
from conformance.report.model import Report
from conformance.report.places import Place, describe_failure, fails_run, places


def to_github(report: Report) -> str:
    """Return a command for each cause: an error if it fails the run, else a warning.

    GitHub shows ten of either kind for a step; a cause explains many violations.
    Source: https://docs.github.com/actions/reference/workflow-commands-for-github-actions
    """
    lines = [
        _command(name, cause, place, strict=report.header.strict)
        for name in report.header.implementations
        for cause, place in places(report, name)
    ]
    return "".join(f"{line}\n" for line in lines)


def _command(name: str, cause: Cause, place: Place | None, *, strict: bool) -> str:
    fails = not cause.verdicts or any(fails_run(each, strict=strict) for each in cause.verdicts)
    title = cause.sentence or f"violates {format_ids(cause.verdicts)}"
    named: dict[str, object] = {}
    if place is not None:
        named = {"file": place.file, "line": place.line}
        named |= {"endLine": place.end_line} if place.end_line else {}
        if place.column and place.end_line == place.line:
            named |= {"col": place.column, "endColumn": place.end_column}
    named["title"] = f"BatchNorm conformance: {title}"
    facts = ",".join(f"{key}={_escape_property(str(value))}" for key, value in named.items())
    return f"::{'error' if fails else 'warning'} {facts}::{_escape(_message(name, cause))}"


def _message(name: str, cause: Cause) -> str:
    lines = [f"{name}: {cause.sentence}." if cause.sentence else name]
    if remedy := cause.diagnosis.get("remedy"):
        lines.append(f"Do: {remedy}.")
    if cause.verdicts:
        verb = "Explains" if cause.diagnosis else "Violated"
        lines.append(f"{verb} {len(cause.verdicts)}: {format_ids(cause.verdicts)}.")
    if cause.example is not None:
        lines.append(f"{cause.example.requirement}: {describe_failure(cause.example)}")
    return "\n".join(printable(line) for line in lines)


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(printable(text)).replace(":", "%3A").replace(",", "%2C")
