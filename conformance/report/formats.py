"""The formats in which a report is printed for tools."""

from __future__ import annotations

from collections.abc import Callable

from conformance.report.code_quality import to_gitlab
from conformance.report.github_commands import to_github
from conformance.report.junit import to_junit
from conformance.report.model import Report
from conformance.report.sarif import to_sarif

RENDERERS: dict[str, Callable[[Report], str]] = {
    "json": Report.to_text,
    "github": to_github,
    "gitlab": to_gitlab,
    "sarif": to_sarif,
    "junit": to_junit,
}
"""What returns a report in each format."""
