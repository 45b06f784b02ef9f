"""A report as JUnit XML, which CI servers show."""

from __future__ import annotations

import datetime
from xml.etree import ElementTree as ET

from conformance.adapters.errors import printable
from conformance.report.model import Report
from conformance.report.places import fails_run
from conformance.report.text import format_violation
from conformance.requirements import Level, Requirement
from conformance.requirements.verdict import Outcome, Verdict

_PASSED, _SKIPPED, _FAILED, _ERROR = "", "skipped", "failure", "error"


def to_junit(report: Report) -> str:
    """Return the report as JUnit XML: a suite for each implementation, a case for each verdict."""
    root = ET.Element("testsuites", name="conformance")
    for name in report.header.implementations:
        verdicts = report.answers_of(name)
        ends = [_end_of(verdict, strict=report.header.strict) for verdict in verdicts]
        started = datetime.datetime.fromtimestamp(report.header.started, datetime.UTC)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=printable(name),
            tests=str(len(ends)),
            failures=str(ends.count(_FAILED)),
            errors=str(ends.count(_ERROR)),
            skipped=str(ends.count(_SKIPPED)),
            time=str(report.footer.seconds),
            timestamp=started.isoformat(timespec="seconds"),
        )
        for verdict, end in zip(verdicts, ends, strict=True):
            _add_case(suite, verdict, end, report.rows.get(verdict.requirement))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _end_of(verdict: Verdict, *, strict: bool) -> str:
    """Return the name of the element that says how a case ended; empty if it passed."""
    if verdict.level is Level.MAY:
        return _SKIPPED
    if verdict.outcome is Outcome.ERRORED:
        return _ERROR
    if not verdict.outcome.bad:
        return _PASSED if verdict.outcome is Outcome.CONFORMS else _SKIPPED
    return _FAILED if fails_run(verdict, strict=strict) else _SKIPPED


def _add_case(suite: ET.Element, verdict: Verdict, end: str, row: Requirement | None) -> None:
    name = f"{verdict.requirement}[{verdict.implementation}]"
    case = ET.SubElement(
        suite, "testcase", classname="conformance", name=printable(name), time=str(verdict.seconds)
    )
    properties = ET.SubElement(case, "properties")
    for key, value in junit_properties(verdict):
        ET.SubElement(properties, "property", name=key, value=printable(value))
    if end:
        text = format_violation(verdict, row=row) if verdict.outcome.bad else verdict.detail
        lines = [printable(line) for line in text.splitlines()]
        ET.SubElement(case, end, message=lines[0] if lines else "").text = "\n".join(lines)


def junit_properties(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the properties of a test case in JUnit XML."""
    return [
        ("requirement", verdict.requirement),
        ("implementation", verdict.implementation),
        ("level", verdict.level.value),
        ("outcome", verdict.outcome.value),
    ]
