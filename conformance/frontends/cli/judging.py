"""Judges what the command line names, shows the progress, and prints the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from conformance.adapters.errors import AdapterError, printable
from conformance.diagnosis.client import Experts
from conformance.engine.jax_runtime import forget_old_compilations
from conformance.engine.jobs import choose_jobs
from conformance.engine.pool import JudgePool
from conformance.engine.sandbox.confinement import hide_memory
from conformance.engine.tasks import Judge, Pair, Task
from conformance.frontends.cli.console import console_of
from conformance.frontends.cli.grading import GradeFile
from conformance.frontends.cli.history import keep
from conformance.frontends.cli.progress import ProgressDisplay
from conformance.frontends.cli.publishing import write
from conformance.frontends.cli.signals import catch_signals
from conformance.frontends.collection import Collection
from conformance.report.atomic_files import is_replaceable
from conformance.report.detail import Detail
from conformance.report.exit_codes import ExitCode, exit_code_of
from conformance.report.screen import render_report
from conformance.report.terminal import (
    render_conclusion,
    render_findings,
    render_first,
    render_recognitions,
)
from conformance.report.waivers import Waiver, find_waiver, judge_with_waiver
from conformance.requirements.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from conformance.frontends.run_config import RunConfig
    from conformance.report.model import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Presentation:
    """How a run is executed and shown; none of this changes a verdict.

    Attributes:
        jobs: Number of processes that judge, or ``auto``.
        color: Whether a terminal gets colors.
        report: Where to write the report as JSON.
        fail_fast: Stop at the first violation.
        at_once: Print the first violation as soon as it is found; always so with ``fail_fast``.
        diagnose: Look for the most likely mistake.
        detail: How much is printed.
        grade: Where to write the grade, which is printed instead of the report.
    """

    jobs: str
    color: bool
    report: Path | None = None
    fail_fast: bool = False
    at_once: bool = False
    diagnose: bool = True
    detail: Detail = Detail.SCREEN
    grade: GradeFile | None = None

    @property
    def quiet(self) -> bool:
        """Whether nothing is printed before the end."""
        return self.detail is Detail.LINE or self.grade is not None

    def show(self, report: Report, session: Session, console: Console) -> None:
        """Print a report at the end of the run, or its grade, and write this."""
        if self.grade is not None:
            self.grade.publish(report, session.collection, console)
        elif self.detail is Detail.ALL:  # the violations have been printed
            render_conclusion(report, console)
        else:
            render_report(report, console, self.detail, session.announced)


class Session:
    """One run: judges its pairs, and collects the verdicts.

    Args:
        run: What is judged, and how.
        how: How it is shown.
        console: Where to print.
        experts: Who diagnoses.

    Attributes:
        collection: What is known.
        announced: The violation that was printed at once.
        signalled: The exit code of the signal that ended it; ``OK`` without one.
    """

    def __init__(
        self, run: RunConfig, how: Presentation, console: Console, experts: Experts
    ) -> None:
        self._run, self._how, self._console, self._experts = run, how, console, experts
        self.collection = Collection(run)
        self.announced: Verdict | None = None
        self.signalled = ExitCode.OK

    def judge_once(self) -> None:
        """Judge all pairs in processes that end with the run, as long as no signal ends it.

        Raises:
            AdapterError: None of the implementations can be judged.
        """
        size = choose_jobs(self._how.jobs, len(self._run.items()))
        with catch_signals() as received:
            try:
                with JudgePool(size) as pool:
                    self.judge(pool)
            except KeyboardInterrupt:
                self.signalled = received.exit_code
        forget_old_compilations()

    def judge(self, pool: JudgePool, goes_on: Callable[[], bool] = lambda: True) -> None:
        """Judge all pairs.

        Args:
            pool: The processes that judge.
            goes_on: Is asked all the time; if it returns False, the rest is not judged.

        Raises:
            AdapterError: None of the implementations can be judged.
        """
        pairs = tuple(self._run.items().values())
        self.collection.expected = set(pairs)
        self.collection.workers = len(pool)
        task = task_of(self._run, pairs, len(pool))
        display = ProgressDisplay(self.collection, self._console)
        with display, closing(pool.judge(task, goes_on)) as results:
            for judged in results:
                self.collection.take(judged)
                display.observe(judged.verdict)
                self._look_at(judged.verdict, pool)

    def _look_at(self, verdict: Verdict, pool: JudgePool) -> None:
        if self._run.shard is None:
            self._experts.begin(verdict)
        if not (self._how.fail_fast or self._how.at_once) or self.announced is not None:
            return
        if exit_code_of([verdict], strict=self._run.strict) is ExitCode.FAILED:
            self.announced = verdict
            if not self._how.quiet:
                render_first(self.collection.report(ExitCode.FAILED), verdict, self._console)
            if self._how.fail_fast:
                pool.cancel()


def task_of(run: RunConfig, pairs: tuple[Pair, ...], size: int) -> Task:
    """Return a run as a task for a pool of some size."""
    return Task(
        pairs=pairs,
        budget=run.budget,
        limits=run.limits(size),
        strictly=run.strict_reading,
        ends=run.ends,
        decide=partial(_decide, run.waivers),
    )


def _decide(waivers: Sequence[Waiver], pair: Pair, judge: Judge) -> Verdict:
    return judge_with_waiver(find_waiver(waivers, *pair), judge)


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
    smaller = {verdict.pair: verdict for verdict in answers.smaller}
    verdicts = [smaller.get(verdict.pair, verdict) for verdict in report.verdicts]
    return replace(report, verdicts=verdicts, diagnoses=answers.diagnoses)
