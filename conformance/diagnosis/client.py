"""Asking for the most likely mistake of each implementation that violates something.

In a process of its own for each, because faulty layers may hang or crash, and because the
controlling process imports no framework.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from conformance.report.model import Report
from conformance.requirements.verdict import Outcome

_PATIENCE = 60.0
"""Seconds after which there is no diagnosis; the violations are shown all the same."""


_TO_EXPLAIN = {Outcome.VIOLATES, Outcome.WAIVED}


def diagnoses(report: Report) -> dict[str, dict[str, Any]]:
    """Return the diagnoses by implementation; those that can say nothing are left out."""
    found = {}
    for name in report.header.implementations:
        verdicts = report.of(name)
        violated = [v.requirement for v in verdicts if v.outcome in _TO_EXPLAIN]
        judged = [v.requirement for v in verdicts if v.outcome.judged]
        if not violated or any(v.ended_worker for v in verdicts):
            continue  # nothing to explain, or a process that would hang or end once more
        answer = _ask(name, violated, judged, strictly=report.header.strict_reading)
        if answer.get("kind", "none") != "none":
            found[name] = answer
    return found


def _ask(name: str, violated: list[str], judged: list[str], *, strictly: bool) -> dict[str, Any]:
    question = {
        "implementation": name,
        "violated": violated,
        "judged": judged,
        "strictly": strictly,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "conformance.diagnosis"],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError):
        return {}
    return answer
