"""One pytest session, isolated from the user's pytest settings, and its report."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pytest
from rich.console import Console

from conformance.adapters.errors import printable
from conformance.diagnosis.client import Experts
from conformance.engine.jax_runtime import (
    cache_directory,
    forget_old_compilations,
    offer_host_devices,
)
from conformance.engine.sandbox.confinement import OURS, SAFE_PATH, hide_memory
from conformance.frontends.cli.console import console_of
from conformance.frontends.cli.grading import GradeFile
from conformance.frontends.cli.history import keep
from conformance.frontends.cli.progress import ProgressDisplay
from conformance.frontends.cli.publishing import write
from conformance.frontends.cli.signals import catch_signals
from conformance.frontends.pytest_plugin.collector import VerdictCollector
from conformance.frontends.pytest_plugin.pytest_session import ENTRY_FILE
from conformance.frontends.run_config import RunConfig
from conformance.report.atomic_files import is_replaceable
from conformance.report.detail import Detail
from conformance.report.exit_codes import ExitCode, exit_code_of
from conformance.report.model import Report
from conformance.report.screen import render_report
from conformance.report.terminal import render_conclusion, render_findings, render_recognitions
from conformance.requirements.verdict import Outcome, Verdict

_PACKAGE = ENTRY_FILE.parent.parent
_SETTINGS = Path(__file__).with_name("pytest.ini")
_NO_ERROR = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How a run is executed and shown; none of this changes a verdict.

    Attributes:
        jobs: Number of worker processes, or ``auto``.
        color: Whether a terminal gets colors.
        report: Where to write the report as JSON.
        junit: Where to write the results as JUnit XML.
        fail_fast: Stop at the first violation.
        diagnose: Look for the most likely mistake.
        detail: How much is printed.
        grade: Where to write the grade, which is printed instead of the report.
    """

    jobs: str
    color: bool
    report: Path | None = None
    junit: Path | None = None
    fail_fast: bool = False
    diagnose: bool = True
    detail: Detail = Detail.SCREEN
    grade: GradeFile | None = None

    def show(
        self, report: Report, collector: VerdictCollector, console: Console, first: Verdict | None
    ) -> None:
        """Print a report at the end of the run, or its grade, and write this.

        Args:
            report: The report.
            collector: What collected its verdicts.
            console: Where to print.
            first: The verdict that was printed while the run was ending.
        """
        if self.grade is not None:
            self.grade.publish(report, collector, console)
        elif self.detail is Detail.ALL:  # the violations have been printed
            render_conclusion(report, console)
        else:
            render_report(report, console, self.detail, first)


def judge_by_pytest(run: RunConfig, how: Presentation) -> tuple[Report | None, ExitCode]:
    """Run a pytest session, write and print its report.

    The report is written before anything that can be interrupted, and again if a diagnosis or a
    stale waiver changes it. Where each violation is printed, they come before the diagnosis, which
    takes seconds; a screen begins with it.

    Args:
        run: What is judged, and how.
        how: How the run is executed and shown.

    Returns:
        The report, None if the command cannot be used; and the exit code.
    """
    console = console_of(color=how.color)
    collector = VerdictCollector(run)
    quiet = how.detail is Detail.LINE or how.grade is not None
    with Experts(
        strictly=run.strict_reading,
        diagnose=how.diagnose,
        minimize=how.detail is not Detail.LINE and not run.budget.minimize,
    ) as experts:
        early = experts.begin if run.shard is None else None
        display = ProgressDisplay(
            collector, console, on_verdict=early, fail_fast=how.fail_fast, quiet=quiet
        )
        status, signalled = _run_session(display, how, console)
        if status is None:
            return None, signalled or ExitCode.UNUSABLE
        report = collector.report(decide_exit_code(collector, status, signalled))
        if how.report is not None and is_replaceable(how.report):
            write("report", how.report, report.to_text())
        if run.explain:
            render_recognitions(report, console)
        if how.detail is Detail.ALL:
            render_findings(report, console, display.announced)
        if not signalled:
            try:
                report = _consult(experts, report, collector, console)
            except KeyboardInterrupt:
                if how.detail is not Detail.ALL:
                    how.show(report, collector, console, display.announced)
                raise
    stale = collector.stale
    code = decide_exit_code(collector, status, signalled, stale)
    report = replace(report, footer=replace(report.footer, exit_code=int(code)))
    if how.report is not None and (stale or report.diagnoses or not is_replaceable(how.report)):
        write("report", how.report, report.to_text())
    how.show(report, collector, console, display.announced)
    keep(report)
    for sentence in stale:
        click.echo(f"Error: {printable(sentence)}", err=True)
    return report, code


def _run_session(
    display: ProgressDisplay, how: Presentation, console: Console
) -> tuple[int | None, ExitCode]:
    """Return the status of the pytest session, and the exit code of a signal that ended it."""
    collector = display.collector
    with catch_signals() as received, tempfile.TemporaryDirectory(prefix="conformance-") as place:
        if how.grade is not None:
            how.grade.begin(collector)
        draft = Path(place) / "junit.xml"  # pytest writes it even if the command cannot be used
        options = [*["-x"] * how.fail_fast, *[f"--junitxml={draft}"] * (how.junit is not None)]
        status = run_session(display, how.jobs, options)
        if status is None:
            if how.grade is not None:
                how.grade.refuse(collector, received.exit_code or ExitCode.UNUSABLE, console)
        elif how.junit is not None and draft.exists():
            write("junit", how.junit, draft.read_text(encoding="utf-8"))
    forget_old_compilations()
    return status, received.exit_code


def decide_exit_code(
    collector: VerdictCollector,
    status: int,
    interrupted: ExitCode = ExitCode.OK,
    stale: Sequence[str] = (),
) -> ExitCode:
    """Return the exit code of a run, as ``conformance run --help`` documents it.

    Args:
        collector: The collector of the verdicts.
        status: The exit status of the pytest session.
        interrupted: The exit code of the signal that ended the run; ``OK`` without one.
        stale: What is wrong with the waivers.
    """
    if interrupted:
        return interrupted
    verdicts = collector.verdicts.values()
    if not verdicts and status not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return ExitCode.UNUSABLE
    code = exit_code_of(verdicts, strict=collector.run.strict)
    if code is ExitCode.OK and status not in _NO_ERROR:
        return ExitCode.FAILED  # everything judged conforms, but the session was aborted
    if stale and code in {ExitCode.OK, ExitCode.NOTHING_JUDGED}:
        return ExitCode.UNUSABLE
    return code


def _consult(
    experts: Experts, report: Report, collector: VerdictCollector, console: Console
) -> Report:
    """Add the mistakes to the report of a whole run, and small examples of what is shown.

    The report of a shard gets neither, but waivers in it may expect a mistake.
    """
    whole = collector.run.shard is None
    violated = any(verdict.outcome is Outcome.VIOLATES for verdict in report.verdicts)
    if not collector.expects_a_diagnosis and not (whole and violated):
        return report
    with console.status("looking for the mistake"):
        answers = experts.consult(report)
    collector.diagnoses = answers.diagnoses if experts.diagnoses else None
    if not whole:
        return report
    smaller = {verdict.pair: verdict for verdict in answers.smaller}
    verdicts = [smaller.get(verdict.pair, verdict) for verdict in report.verdicts]
    return replace(report, verdicts=verdicts, diagnoses=answers.diagnoses)


def run_session(display: ProgressDisplay, jobs: str, options: Sequence[str] = ()) -> int | None:
    """Run a pytest session, configured by the display's collector.

    Args:
        display: A plugin of the session.
        jobs: Number of worker processes, or ``auto``.
        options: Further options of pytest.

    Returns:
        The exit status; None if the command cannot be used, after an error message.
    """
    settings = [
        f"--config-file={_SETTINGS}",
        f"--rootdir={_PACKAGE}",
        f"--confcutdir={_PACKAGE}",
        "-p",
        "conformance.frontends.pytest_plugin",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:unraisableexception",  # which collects garbage five times at the end: 0.2 s per process
    ]
    if jobs != "1":
        settings += ["-p", "xdist.plugin", f"--numprocesses={jobs}", "--dist=worksteal"]
    hide_memory()
    offer_host_devices()
    os.environ.setdefault(SAFE_PATH, OURS)  # in the workers of pytest-xdist
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # also in the workers
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache_directory() / "hypothesis"))
    try:
        status = int(pytest.main([*settings, *options, str(ENTRY_FILE)], plugins=[display]))
    except KeyboardInterrupt:
        status = int(pytest.ExitCode.INTERRUPTED)  # before the session began
    finally:
        if os.environ.get(SAFE_PATH) == OURS:
            del os.environ[SAFE_PATH]
    if display.collector.refusal is not None:
        click.echo(f"Error: {printable(display.collector.refusal)}", err=True)
        return None
    if not display.configured or status == pytest.ExitCode.USAGE_ERROR:
        return None  # pytest has printed the error itself where there are no workers
    return status
