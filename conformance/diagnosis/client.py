"""Diagnoses each implementation that violates something, in a subprocess.

Faulty layers may hang or crash, and the controlling process imports no framework.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from conformance.report.model import Report
from conformance.requirements.verdict import Outcome

_PATIENCE = 60.0
"""Seconds after which there is no diagnosis; the violations are shown anyway."""


_TO_EXPLAIN = {Outcome.VIOLATES, Outcome.WAIVED}


def diagnoses(report: Report) -> dict[str, dict[str, Any]]:
    """Return the diagnoses by implementation; those of kind "none" are left out."""
    found: dict[str, dict[str, Any]] = {}
    for name in report.header.implementations:
        verdicts = report.of(name)
        violates = any(v.outcome in _TO_EXPLAIN for v in verdicts)
        if not violates or any(v.ended_worker for v in verdicts):
            continue  # nothing to explain, or it would hang or crash again
        answer = _ask(name, strictly=report.header.strict_reading)
        if answer.get("kind", "none") != "none":
            found[name] = answer
    return found


def _ask(name: str, *, strictly: bool) -> dict[str, Any]:
    question = {"implementation": name, "strictly": strictly}
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
