"""Judges what the command line names, shows the progress, and prints the report."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click
from rich.console import Console

from conformance.adapters.errors import AdapterError, printable
from conformance.diagnosis.client import Experts
from conformance.engine.jax_runtime import forget_old_compilations
from conformance.engine.jobs import choose_jobs
from conformance.engine.pool import JudgePool
from conformance.engine.sandbox.confinement import hide_memory
from conformance.frontends.cli.console import console_of
from conformance.frontends.cli.history import keep
from conformance.frontends.cli.publishing import write
from conformance.frontends.cli.signals import catch_signals
from conformance.frontends.progress import ProgressDisplay
from conformance.frontends.run_session import Session, decide_exit_code
from conformance.report.atomic_files import is_replaceable
from conformance.report.detail import Detail
from conformance.report.exit_codes import ExitCode
from conformance.report.terminal import render_findings, render_first, render_recognitions
from conformance.requirements.verdict import Verdict

if TYPE_CHECKING:
    from conformance.frontends.cli.presentation import Presentation
    from conformance.frontends.run_config import RunConfig
    from conformance.report.model import Report


def judge_and_show(run: RunConfig, how: Presentation) -> tuple[Report | None, ExitCode]:
    """Judge, write and print the report.

    The report is written before anything that can be interrupted, and again if a diagnosis or a
    stale waiver changes it. Where each violation is printed, they come before the diagnosis, which
    takes seconds; a screen begins with it.

    Args:
        run: What is judged, and how.
        how: How the run is executed and shown.

    Returns:
        The report, None if the command cannot be used; and the exit code.
    """
    console = console_of(color=how.color, stderr=how.form != "text")
    hide_memory()
    with Experts(
        strictly=run.strict_reading,
        ends=run.last,
        diagnose=how.diagnose,
        minimize=how.detail is not Detail.LINE and not run.budget.minimize,
    ) as experts:
        session = Session(run, experts, fail_fast=how.fail_fast)
        if how.fail_fast and not how.quiet:
            session.on_first = partial(show_first, session, console)
        collection = session.collection
        if how.grade is not None:
            how.grade.begin(collection)
        try:
            signalled = _judge(session, how, console)
        except AdapterError as error:
            return _refuse(session, how, console, str(error))
        report = collection.report(decide_exit_code(collection, signalled))
        if how.report is not None and is_replaceable(how.report):
            write("report", how.report, report.to_text())
        if run.explain:
            render_recognitions(report, console)
        if how.detail is Detail.ALL:
            render_findings(report, console, session.first)
        if not signalled:
            try:
                report = session.consult(report, console)
            except KeyboardInterrupt:
                if how.detail is not Detail.ALL:
                    how.show(report, session, console)
                raise
    report = session.conclude(report, signalled)
    _write_and_show(report, session, how, console)
    return report, ExitCode(report.footer.exit_code)


def _judge(session: Session, how: Presentation, console: Console) -> ExitCode:
    """Judge all pairs in processes that end with the run.

    Returns:
        The exit code of the signal that ended it; ``OK`` without one.

    Raises:
        AdapterError: None of the implementations can be judged.
    """
    size = choose_jobs(how.jobs, len(session.run.items()))
    with catch_signals() as received:
        try:
            with JudgePool(size) as pool:
                display = ProgressDisplay(session.collection, console, quiet=how.quiet)
                session.judge(pool, display)
        except KeyboardInterrupt:
            return received.exit_code
    forget_old_compilations()
    return ExitCode.OK


def show_first(session: Session, console: Console, verdict: Verdict) -> None:
    """Print the first violation of a run, while it goes on."""
    render_first(session.collection.report(ExitCode.FAILED), verdict, console)


def _refuse(
    session: Session, how: Presentation, console: Console, why: str
) -> tuple[None, ExitCode]:
    session.collection.refusal = why
    click.echo(f"Error: {printable(why)}", err=True)
    if how.grade is not None:
        how.grade.refuse(session.collection, ExitCode.UNUSABLE, console)
    return None, ExitCode.UNUSABLE


def _write_and_show(report: Report, session: Session, how: Presentation, console: Console) -> None:
    """Write and print the report at the end of a run."""
    stale = session.collection.stale
    if how.report is not None and (stale or report.diagnoses or not is_replaceable(how.report)):
        write("report", how.report, report.to_text())
    how.show(report, session, console)
    keep(report)
    for sentence in stale:
        click.echo(f"Error: {printable(sentence)}", err=True)
