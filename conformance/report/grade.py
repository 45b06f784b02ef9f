"""The grade: a small, stable document for a course or an exercise site.

``grade-schema.json`` beside this module is the normative description; its version is ``VERSION``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.report.causes import causes
from conformance.report.exit_codes import ExitCode, exit_code_of
from conformance.report.hints import hints_on, tidy
from conformance.report.model import Report
from conformance.requirements import REQUIREMENTS, Level
from conformance.requirements.verdict import Outcome, Verdict

VERSION = 1
FORMAT = "batchnorm-conformance-grade"
SCHEMA = Path(__file__).with_name("grade-schema.json")

_PACKAGES = ("python", "jax", "jaxlib", "flax", "numpy", "hypothesis")
_GOOD = frozenset({Outcome.CONFORMS, Outcome.DEVIATES})
_NOT_COUNTED = frozenset({Outcome.UNSUPPORTED, Outcome.WAIVED})
_HIDDEN = "It cannot be imported, built, called or read as a layer."


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedRun:
    """A run, as far as a grade needs it.

    Attributes:
        report: The report; without verdicts if nothing could be judged.
        refusal: Why nothing could be judged; empty if something was.
        ended: Whether the run is over.
        peaks: The largest resident memory of the processes of each implementation, in bytes.
    """

    report: Report
    refusal: str = ""
    ended: bool = True
    peaks: Mapping[str, int] = field(default_factory=dict)

    @property
    def as_judged(self) -> bool:
        """Whether the exit code is that of the verdicts, and all verdicts are there."""
        header, footer = self.report.header, self.report.footer
        code = exit_code_of(self.report.verdicts, strict=header.strict)
        return self.ended and self.report.complete and footer.exit_code == code


def to_grade(run: GradedRun, *, hides_inputs: bool = False) -> dict[str, Any]:
    """Return the grade of each implementation of a run, as JSON values.

    Args:
        run: The run.
        hides_inputs: Leave out what depends on the suite's cases or is said by the layer.
    """
    report = run.report
    header, names = report.header, report.header.implementations
    found = header.environment
    return {
        "format": FORMAT,
        "version": VERSION,
        "exit_code": report.footer.exit_code if run.ended else None,
        "hides_inputs": hides_inputs,
        "conditions": {
            "suite": found.get("batchnorm-conformance", "unknown"),
            "versions": {name: found[name] for name in _PACKAGES if name in found},
            "edition": header.edition,
            "profile": header.profile,
            "seed": None if hides_inputs else header.seed,
            "max_examples": header.max_examples,
            "strict": header.strict,
            "ignores_declarations": header.strict_reading,
            "requirements": _asked(report),
        },
        "grades": [_grade(run, name, hides_inputs=hides_inputs) for name in names],
        "usage": {
            "seconds": report.footer.seconds,
            "implementations": [
                {
                    "implementation": tidy(name),
                    "seconds": round(sum(v.seconds for v in report.of(name)), 3),
                    "peak_memory": run.peaks.get(name) or None,
                }
                for name in names
            ],
        },
    }


def to_text(grade: dict[str, Any]) -> str:
    """Return a grade as the text of its file."""
    return json.dumps(grade, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _asked(report: Report) -> int:
    """Return how many requirements a run was to judge; a MAY is none."""
    return sum(REQUIREMENTS[row].level is not Level.MAY for row in report.header.requirements)


def _grade(run: GradedRun, name: str, *, hides_inputs: bool) -> dict[str, Any]:
    verdicts = run.report.of(name)
    must, should = (_counted(verdicts, level) for level in (Level.MUST, Level.SHOULD))
    outcome, reason = _outcome(run, verdicts, hides_inputs=hides_inputs)
    judged = sum(verdict.outcome.judged for verdict in verdicts)
    return {
        "implementation": tidy(name),
        "passed": outcome == "passed",
        "outcome": outcome,
        "reason": tidy(reason),
        "score": _share(must) or 0.0,
        "families": _families(verdicts),
        "must": {"met": _met(must), "applicable": len(must)},
        "should": {"met": _met(should), "applicable": len(should)},
        "judged": judged,
        "not_judged": _asked(run.report) - judged,
        "deviations": sum(v.outcome is Outcome.DEVIATES for v in verdicts),
        "waivers": sum(v.outcome is Outcome.WAIVED for v in verdicts),
        **_cause(run.report, name, hides_inputs=hides_inputs),
    }


def _outcome(run: GradedRun, verdicts: list[Verdict], *, hides_inputs: bool) -> tuple[str, str]:
    """Return the outcome in a word, and the reason unless it is passed."""
    must = [verdict for verdict in verdicts if verdict.level is Level.MUST]
    code = exit_code_of(verdicts, strict=False)
    if run.refusal:
        return "unusable", _HIDDEN if hides_inputs else run.refusal
    if not run.ended:
        return "incomplete", "The run has not ended."
    if code is ExitCode.FAILED:
        bad, counted = sum(v.outcome.bad for v in must), len(_counted(must, Level.MUST))
        return "failed", f"{bad} of {counted} MUST requirements are not met."
    if code is ExitCode.UNUSABLE:
        detail = next(v.detail for v in verdicts if v.outcome is Outcome.ERRORED)
        return "unusable", "It could not be judged." if hides_inputs else detail
    if not run.as_judged:
        return "incomplete", f"The run ended early: exit code {run.report.footer.exit_code}."
    if not any(verdict.outcome.judged for verdict in must):
        return "nothing judged", "No MUST requirement was judged."
    if partial := [v.requirement for v in must if v.left_out]:
        names = ", ".join(partial)
        return "passed", f"Batches that need too much time or memory were left out of {names}."
    return "passed", ""


def _families(verdicts: list[Verdict]) -> list[dict[str, Any]]:
    """Return how much of each family is met, in the order of the table of requirements."""
    members: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        members.setdefault(REQUIREMENTS[verdict.requirement].family, []).append(verdict)
    rows = []
    for family, found in members.items():
        must, should = (_counted(found, level) for level in (Level.MUST, Level.SHOULD))
        if must or should:
            rows.append(
                {
                    "family": family,
                    "score": _share(must),
                    "must": {"met": _met(must), "applicable": len(must)},
                    "should": {"met": _met(should), "applicable": len(should)},
                }
            )
    return rows


def _counted(verdicts: list[Verdict], level: Level) -> list[Verdict]:
    """Return the verdicts of a level that count: neither unsupported nor waived."""
    return [v for v in verdicts if v.level is level and v.outcome not in _NOT_COUNTED]


def _share(counted: list[Verdict]) -> float | None:
    """Return the share of verdicts that are good; None if there are none."""
    return round(_met(counted) / len(counted), 4) if counted else None


def _met(verdicts: list[Verdict]) -> int:
    return sum(verdict.outcome in _GOOD for verdict in verdicts)


def _cause(report: Report, name: str, *, hides_inputs: bool) -> dict[str, Any]:
    """Return the first cause with its hints, and the number of the others."""
    found, verdicts = causes(report, name), report.of(name)
    bad = [verdict for verdict in verdicts if verdict.outcome.bad]
    if not bad or not any(verdict.outcome.judged for verdict in verdicts):
        return {"cause": None, "further_causes": 0}
    first = found[0]
    example = first.example or min(bad, key=lambda v: v.level is not Level.MUST)
    cause = {
        "requirements": [verdict.requirement for verdict in first.verdicts],
        "hints": hints_on(
            first, example, report.rows[example.requirement], hides_inputs=hides_inputs
        ),
    }
    return {"cause": cause, "further_causes": len(found) - 1}
