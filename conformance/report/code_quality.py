"""A report as a code quality report of GitLab."""

from __future__ import annotations

import hashlib
import json

from conformance.adapters.errors import printable
from conformance.report.model import Report
from conformance.report.places import Place, describe_failure, fails_run, places


def to_gitlab(report: Report) -> str:
    """Return an issue for each requirement that is not met, with its place.

    GitLab wants a place for each issue; where none is known, it is the name of the implementation.
    Source: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
    """
    issues: dict[str, dict[str, object]] = {}
    for name in report.header.implementations:
        for cause, found in places(report, name):
            place = found or Place(file=name, line=1)
            for verdict in cause.verdicts:
                why = f"{cause.sentence}; " if cause.sentence else ""
                text = f"{verdict.requirement}: {report.rows[verdict.requirement].statement} "
                issues.setdefault(
                    verdict.pair,
                    {
                        "description": printable(f"{text}({why}{describe_failure(verdict)})"),
                        "check_name": verdict.requirement,
                        "fingerprint": hashlib.sha256(verdict.pair.encode()).hexdigest(),
                        "severity": "major"
                        if fails_run(verdict, strict=report.header.strict)
                        else "minor",
                        "location": {"path": place.file, "lines": {"begin": place.line}},
                    },
                )
    return json.dumps([*issues.values()], indent=1, ensure_ascii=False) + "\n"
