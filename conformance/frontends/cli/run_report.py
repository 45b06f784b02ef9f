"""Judges what the command line names, shows the progress, and prints the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click
from rich.console import Console

from conformance.adapters.errors import AdapterError, printable
from conformance.diagnosis.client import Experts
from conformance.engine.sandbox.confinement import hide_memory
from conformance.frontends.cli.console import console_of
from conformance.frontends.cli.history import keep
from conformance.frontends.cli.publishing import write
from conformance.frontends.cli.run_session import Presentation, Session
from conformance.frontends.collection import Collection
from conformance.report.atomic_files import is_replaceable
from conformance.report.detail import Detail
from conformance.report.exit_codes import ExitCode, exit_code_of
from conformance.report.terminal import (
    render_findings,
    render_recognitions,
)
from conformance.requirements.verdict import Outcome

if TYPE_CHECKING:
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
    console = console_of(color=how.color)
    hide_memory()
    with Experts(
        strictly=run.strict_reading,
        ends=run.last,
        diagnose=how.diagnose,
        minimize=how.detail is not Detail.LINE and not run.budget.minimize,
    ) as experts:
        session = Session(run, how, console, experts)
        collection = session.collection
        if how.grade is not None:
            how.grade.begin(collection)
        try:
            session.judge_once()
        except AdapterError as error:
            return _refuse(session, how, console, str(error))
        report = collection.report(decide_exit_code(collection, session.signalled))
        if how.report is not None and is_replaceable(how.report):
            write("report", how.report, report.to_text())
        if run.explain:
            render_recognitions(report, console)
        if how.detail is Detail.ALL:
            render_findings(report, console, session.announced)
        if not session.signalled:
            try:
                report = consult(experts, report, collection, console)
            except KeyboardInterrupt:
                if how.detail is not Detail.ALL:
                    how.show(report, session, console)
                raise
    code = decide_exit_code(collection, session.signalled, collection.stale)
    report = replace(report, footer=replace(report.footer, exit_code=int(code)))
    _conclude(report, session, how, console)
    return report, code


def _refuse(
    session: Session, how: Presentation, console: Console, why: str
) -> tuple[None, ExitCode]:
    session.collection.refusal = why
    click.echo(f"Error: {printable(why)}", err=True)
    if how.grade is not None:
        how.grade.refuse(session.collection, ExitCode.UNUSABLE, console)
    return None, ExitCode.UNUSABLE


def _conclude(report: Report, session: Session, how: Presentation, console: Console) -> None:
    """Write and print the report at the end of a run."""
    stale = session.collection.stale
    if how.report is not None and (stale or report.diagnoses or not is_replaceable(how.report)):
        write("report", how.report, report.to_text())
    how.show(report, session, console)
    keep(report)
    for sentence in stale:
        click.echo(f"Error: {printable(sentence)}", err=True)


def decide_exit_code(
    collection: Collection,
    interrupted: ExitCode = ExitCode.OK,
    stale: Sequence[str] = (),
) -> ExitCode:
    """Return the exit code of a run, as ``conformance run --help`` documents it.

    Args:
        collection: The verdicts.
        interrupted: The exit code of the signal that ended the run; ``OK`` without one.
        stale: What is wrong with the waivers.
    """
    if interrupted:
        return interrupted
    code = exit_code_of(collection.verdicts.values(), strict=collection.run.strict)
    if code is ExitCode.OK and collection.expected - collection.verdicts.keys():
        return ExitCode.FAILED  # everything judged conforms, but the run broke off
    if stale and code in {ExitCode.OK, ExitCode.NOTHING_JUDGED}:
        return ExitCode.UNUSABLE
    return code


def consult(experts: Experts, report: Report, collection: Collection, console: Console) -> Report:
    """Add the mistakes to the report of a whole run, and small examples of what is shown.

    The report of a shard gets neither, but waivers in it may expect a mistake.
    """
    whole = collection.run.shard is None
    violated = any(verdict.outcome is Outcome.VIOLATES for verdict in report.verdicts)
    if not collection.expects_a_diagnosis and not (whole and violated):
        return report
    with console.status("looking for the mistake"):
        answers = experts.consult(report)
    collection.diagnoses = answers.diagnoses if experts.diagnoses else None
    if not whole:
        return report
    drawn = () if collection.run.recorded is not None else answers.smaller
    smaller = {verdict.pair: verdict for verdict in drawn}
    verdicts = [smaller.get(verdict.pair, verdict) for verdict in report.verdicts]
    return replace(report, verdicts=verdicts, diagnoses=answers.diagnoses)
