"""One run of the command line: judges its pairs, shows the progress, collects the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from conformance.engine.jax_runtime import forget_old_compilations
from conformance.engine.jobs import choose_jobs
from conformance.engine.pool import JudgePool
from conformance.engine.tasks import Judge, Pair, Task
from conformance.frontends.cli.progress import ProgressDisplay
from conformance.frontends.cli.signals import catch_signals
from conformance.frontends.collection import Collection
from conformance.report.detail import Detail
from conformance.report.exit_codes import ExitCode, exit_code_of
from conformance.report.screen import render_report
from conformance.report.terminal import render_conclusion, render_first
from conformance.report.waivers import Waiver, find_waiver, judge_with_waiver
from conformance.requirements.verdict import Verdict

if TYPE_CHECKING:
    from conformance.diagnosis.client import Experts
    from conformance.engine.recorded import Recorded
    from conformance.frontends.cli.grading import GradeFile
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
        display = ProgressDisplay(self.collection, self._console, quiet=self._how.quiet)

        def watch() -> bool:
            display.name(self._experts.likely())
            pool.shares_cores = self._experts.are_busy
            return goes_on()

        with display, closing(pool.judge(task, watch, display.wait)) as results:
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
        decide=partial(_decide, run.waivers, run.recorded),
    )


def _decide(
    waivers: Sequence[Waiver], recorded: Recorded | None, pair: Pair, judge: Judge
) -> Verdict:
    def judge_recorded(values: Mapping[str, Any] | None) -> Verdict:
        if recorded is None or values is not None:
            return judge(values)
        return recorded.judge(pair[0], judge)

    return judge_with_waiver(find_waiver(waivers, *pair), judge_recorded)
