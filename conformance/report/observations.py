"""What implementations do where a MAY row leaves them free, side by side, as text."""

from __future__ import annotations

import textwrap

from conformance.report.model import Report
from conformance.report.text import WIDTH
from conformance.requirements import REQUIREMENTS

_INDENT = "    "


def observation_lines(report: Report) -> list[str]:
    """Return each MAY row with its answers; of several implementations, who gives which."""
    lines = []
    several = len(report.header.implementations) > 1
    for identity, answers in report.observations().items():
        row = REQUIREMENTS.get(identity)  # None in a report of another version
        title = f"{identity}  {row.statement}" if row is not None else identity
        lines += ["", *textwrap.wrap(title, WIDTH, subsequent_indent="  ")]
        for answer, names in answers.items():
            text = f"{', '.join(names)}: {answer}" if several else answer
            lines += textwrap.wrap(
                text, WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT + "  "
            )
    return lines
