"""How a run of the command line is executed and shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.report.detail import Detail
from conformance.report.formats import RENDERERS
from conformance.report.screen import render_report
from conformance.report.terminal import render_conclusion

if TYPE_CHECKING:
    from rich.console import Console

    from conformance.frontends.cli.grading import GradeFile
    from conformance.frontends.run_session import Session
    from conformance.report.model import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How a run is executed and shown; none of this changes a verdict.

    Attributes:
        jobs: Number of processes that judge, or ``auto``.
        color: Whether a terminal gets colors.
        report: Where to write the report as JSON.
        fail_fast: Stop at the first violation, which is printed as soon as it is found.
        diagnose: Look for the most likely mistake.
        detail: How much is printed.
        form: The format in which the report is printed, see ``publishing.FORMATS``.
        grade: Where to write the grade, which is printed instead of the report.
    """

    jobs: str
    color: bool
    report: Path | None = None
    fail_fast: bool = False
    diagnose: bool = True
    detail: Detail = Detail.SCREEN
    form: str = "text"
    grade: GradeFile | None = None

    @property
    def quiet(self) -> bool:
        """Whether nothing is printed before the end."""
        return self.detail is Detail.LINE or self.grade is not None

    def show(self, report: Report, session: Session, console: Console) -> None:
        """Print a report at the end of the run, or its grade, and write this."""
        if self.grade is not None:
            self.grade.publish(report, session.collection, console)
        elif self.form != "text":
            click.echo(RENDERERS[self.form](report), nl=False)
        elif self.detail is Detail.ALL:  # the violations have been printed
            render_conclusion(report, console)
        else:
            render_report(report, console, self.detail, session.first)
