"""One run: judges its pairs, shows the progress, collects the verdicts and asks for the causes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from conformance.engine.budget import MAX_EXAMPLES
from conformance.engine.sandbox.waiting import LongWait
from conformance.engine.tasks import Judge, Judged, Pair, Task
from conformance.frontends.collection import Collection
from conformance.report.exit_codes import ExitCode, exit_code_of
from conformance.report.waivers import Waiver, find_waiver, judge_with_waiver
from conformance.requirements.verdict import Outcome, Verdict

if TYPE_CHECKING:
    from rich.console import Console

    from conformance.diagnosis.client import Experts
    from conformance.engine.recorded import Recorded
    from conformance.frontends.progress import Display
    from conformance.frontends.run_config import RunConfig
    from conformance.report.model import Report


class Pool(Protocol):
    """What judges the pairs of a run: a ``JudgePool``, or this process.

    Attributes:
        shares_cores: Whether one of several processes is idle, for another one to have its core.
    """

    shares_cores: bool

    def __len__(self) -> int:
        """Return how many processes judge."""

    def judge(
        self,
        task: Task,
        goes_on: Callable[[], bool] = ...,
        on_wait: Callable[[LongWait], None] = ...,
    ) -> Generator[Judged]:
        """Judge pairs; yield what is found as soon as it is, in any order."""

    def cancel(self) -> None:
        """End the task: pairs that are not judged yet get no verdict."""


class Session:
    """One run: judges its pairs, and collects the verdicts.

    Args:
        run: What is judged, and how.
        experts: Who diagnoses.
        fail_fast: Stop at the first violation that fails the run. A few cases of every
            requirement are judged before all cases of any.

    Attributes:
        collection: What is known.
        on_first: Receives the first violation of any level, as soon as it is found.
        first: The violation that was passed to ``on_first``.
    """

    def __init__(self, run: RunConfig, experts: Experts, *, fail_fast: bool = False) -> None:
        self.run, self._experts, self._fail_fast = run, experts, fail_fast
        self.collection = Collection(run)
        self.on_first: Callable[[Verdict], None] | None = None
        self.first: Verdict | None = None

    def judge(
        self, pool: Pool, display: Display, goes_on: Callable[[], bool] = lambda: True
    ) -> None:
        """Judge all pairs.

        Args:
            pool: What judges.
            display: Shows the progress.
            goes_on: Is asked all the time; if it returns False, the rest is not judged.

        Raises:
            AdapterError: None of the implementations can be judged.
        """
        pairs = tuple(self.run.items().values())
        self.collection.expected = set(pairs)
        self.collection.workers = len(pool)
        task = task_of(self.run, pairs, len(pool))
        task = replace(task, glance=MAX_EXAMPLES["quick"] if self._fail_fast else 0)

        def watch() -> bool:
            display.name(self._experts.likely())
            pool.shares_cores = self._experts.are_busy
            return goes_on()

        with display, closing(pool.judge(task, watch, display.wait)) as results:
            for found in results:
                judged = replace(found, verdict=self.run.by_edition(found.verdict))
                if judged.glance:
                    self.collection.take_besides(judged)
                    continue
                self.collection.take(judged)
                display.observe(judged.verdict)
                self._look_at(judged.verdict, pool)

    def _look_at(self, verdict: Verdict, pool: Pool) -> None:
        if self.run.shard is None:
            self._experts.begin(verdict)
        fails = self._fails(verdict)
        if fails and self._fail_fast:
            pool.cancel()
        violated = fails or verdict.outcome is Outcome.VIOLATES
        if violated and self.first is None and self.on_first is not None:
            self.first = verdict
            self.on_first(verdict)

    def _fails(self, verdict: Verdict) -> bool:
        return exit_code_of([verdict], strict=self.run.strict) is ExitCode.FAILED

    def consult(self, report: Report, console: Console) -> Report:
        """Add the mistakes to the report of a whole run, and small examples of what is shown.

        The report of a shard gets neither, but waivers in it may expect a mistake.
        """
        whole = self.run.shard is None
        violated = any(verdict.outcome is Outcome.VIOLATES for verdict in report.verdicts)
        if not self.collection.expects_a_diagnosis and not (whole and violated):
            return report
        with console.status("looking for the mistake"):
            answers = self._experts.consult(report)
        self.collection.diagnoses = answers.diagnoses if self._experts.diagnoses else None
        if not whole:
            return report
        drawn = () if self.run.recorded is not None else answers.smaller
        smaller = {verdict.pair: self.run.by_edition(verdict) for verdict in drawn}
        verdicts = [smaller.get(verdict.pair, verdict) for verdict in report.verdicts]
        return replace(report, verdicts=verdicts, diagnoses=answers.diagnoses)

    def conclude(self, report: Report, interrupted: ExitCode = ExitCode.OK) -> Report:
        """Return the report with the exit code of the run, now that waivers can be checked.

        Args:
            report: The report, with diagnoses if there are any.
            interrupted: The exit code of the signal that ended the run; ``OK`` without one.
        """
        code = decide_exit_code(self.collection, interrupted, self.collection.stale)
        return replace(report, footer=replace(report.footer, exit_code=int(code)))


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
