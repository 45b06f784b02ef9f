"""Diagnoses each implementation that violates something, in a subprocess.

The controlling process imports neither a framework nor NumPy.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from conformance.engine.sandbox.confinement import command_of
from conformance.report.model import Report
from conformance.requirements.verdict import Outcome, Verdict

PATIENCE = 60
"""Seconds after which there is no diagnosis; the violations are shown anyway."""

VERIFYING = 30
"""Seconds from the start after which nothing more is verified."""

_END_LIMIT = 15
"""Seconds that the subprocess may take to end its worker."""

_TO_EXPLAIN = {Outcome.VIOLATES, Outcome.WAIVED}


def diagnoses(report: Report) -> dict[str, dict[str, Any]]:
    """Return the diagnoses by implementation, of those about which anything can be said."""
    found: dict[str, dict[str, Any]] = {}
    for name in report.header.implementations:
        verdicts = report.of(name)
        violates = any(v.outcome in _TO_EXPLAIN for v in verdicts)
        if not violates or any(v.ended_worker for v in verdicts):
            continue  # nothing to explain, or it would hang or crash again
        violated = [v for v in verdicts if v.outcome in _TO_EXPLAIN]
        answer = ask(name, violated, strictly=report.header.strict_reading)
        if answer.get("sentence"):
            found[name] = answer
    return found


def ask(name: str, violated: Sequence[Verdict] = (), *, strictly: bool) -> dict[str, Any]:
    """Return the diagnosis of one implementation as JSON values; empty if there is none in time.

    Args:
        name: The implementation, as on the command line.
        violated: The verdicts to explain; none to diagnose only.
        strictly: Ignore declared deviations.
    """
    asked = [verdict.to_json(internal=True) for verdict in violated]
    question = {"implementation": name, "strictly": strictly, "verdicts": asked}
    try:
        done = subprocess.run(  # noqa: S603  this suite
            command_of("conformance.diagnosis"),
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=PATIENCE + _END_LIMIT,
            check=True,
        )
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError):
        return {}
    return answer
