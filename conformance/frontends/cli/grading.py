"""``run --grade``: writes the grade of a run, whatever becomes of the run, and prints it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from conformance.frontends.cli.publishing import write
from conformance.report.atomic_files import is_replaceable
from conformance.report.exit_codes import ExitCode
from conformance.report.grade import GradedRun, to_grade, to_text
from conformance.report.terminal import escape
from conformance.report.text import WIDTH

if TYPE_CHECKING:
    from conformance.frontends.collection import Collection
    from conformance.report.model import Report


@dataclass(frozen=True, slots=True)
class GradeFile:
    """The file that ``--grade`` names.

    Attributes:
        path: The file.
        hides_inputs: Leave out what depends on the suite's cases or is said by the layer.
    """

    path: Path
    hides_inputs: bool = False

    def begin(self, collection: Collection) -> None:
        """Write a grade that says that the run has not ended: it may be killed."""
        if is_replaceable(self.path):
            self._write(GradedRun(report=collection.report(ExitCode.UNUSABLE), ended=False))

    def refuse(self, collection: Collection, code: ExitCode, console: Console) -> None:
        """Write and print the grade of implementations none of which can be judged."""
        refusal = collection.refusal or ""
        self._publish(GradedRun(report=collection.report(code), refusal=refusal), console)

    def publish(self, report: Report, collection: Collection, console: Console) -> None:
        """Write and print the grade of a run."""
        self._publish(GradedRun(report=report, peaks=collection.peaks), console)

    def _publish(self, run: GradedRun, console: Console) -> None:
        grade = self._write(run)
        for row, used in zip(grade["grades"], grade["usage"]["implementations"], strict=True):
            for line in grade_lines(row, used):
                console.print(escape(line), highlight=False, soft_wrap=True)

    def _write(self, run: GradedRun) -> dict[str, Any]:
        grade = to_grade(run, hides_inputs=self.hides_inputs)
        write("grade", self.path, to_text(grade))
        return grade


def grade_lines(grade: dict[str, Any], used: dict[str, Any]) -> list[str]:
    """Return a grade as at most 15 lines: passed or not, the score by family, the first hint.

    Args:
        grade: The grade of one implementation.
        used: The time and memory that it took.
    """
    mark, word = ("✓", "passed") if grade["passed"] else ("✗", f"not passed: {grade['outcome']}")
    lines = [f"{mark} {grade['implementation']}: {word}, score {_percent(grade['score'])}"]
    lines += _wrap(grade["reason"], 4)
    scored = [row for row in grade["families"] if row["score"] is not None]
    partly = [f"{row['family']} {_percent(row['score'])}" for row in scored if row["score"] < 1]
    full = [row["family"] for row in scored if row["score"] == 1]
    lines += _wrap("Families: " + ", ".join(partly), 3) if partly else []
    lines += _wrap("Full score: " + ", ".join(full), 2) if full else []
    should = grade["should"]
    if should["met"] < should["applicable"]:
        lines.append(f"  SHOULD: {should['met']} of {should['applicable']} met")
    if grade["cause"] is not None:
        lines += _wrap(f"Hint: {grade['cause']['hints'][0]['text']}", 3)
    memory = used["peak_memory"]
    spent = f"{used['seconds']:.1f} s" + (f", {memory / 2**20:.0f} MiB" if memory else "")
    return [*lines, f"  {grade['judged']} judged, {grade['not_judged']} not judged; {spent}"]


def _percent(share: float) -> str:
    """Return a share in percent; only a full one is shown as 100 %."""
    return f"{int(100 * share)} %"


def _wrap(text: str, most: int) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        max_lines=most,
        placeholder=" …",
    )
