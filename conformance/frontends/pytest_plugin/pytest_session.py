"""Judging inside a pytest session: requirements are collected as items, and judged."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance import requirements
from conformance.adapters.errors import AdapterError
from conformance.engine.budget import Clock, clock_of, share_of
from conformance.engine.garbage import collecting_rarely
from conformance.engine.jax_runtime import remember_compilations
from conformance.engine.scheduling import deal, group_by_programs, order_by_power
from conformance.frontends.pytest_plugin.items import RequirementItem
from conformance.frontends.pytest_plugin.protocol import COLLECTOR, PEAK_MEMORY, REFUSAL
from conformance.frontends.run_config import RunConfig
from conformance.report.waivers import find_waiver, judge_with_waiver
from conformance.requirements.verdict import Verdict

if TYPE_CHECKING:
    from conformance.engine.sandbox.supervisor import Supervisor
    from conformance.frontends.local_judge import LocalJudge
    from conformance.frontends.pytest_plugin.collector import VerdictCollector

ENTRY_FILE = Path(requirements.__file__).with_name("judged")
"""One file stands for all requirements, so that they are collected once. It is not a Python file:
pytest would import it, and what its package imports."""


class RequirementFile(pytest.File):
    """Collects one item per requirement and implementation."""

    run: RunConfig
    judge: Supervisor | LocalJudge | None

    def collect(self) -> Iterator[pytest.Item]:
        if self.judge is None:
            return  # every implementation was refused, and the controller reports it
        wanted = self.run.items(order_by_power(self.run.requirements))
        rows = {row.id: row for row in self.run.requirements}
        clock = clock_of(self.run.ends, (row for row, _ in wanted.values()), self._workers)

        def group(name: str) -> int:
            return group_by_programs(wanted[name][0])

        for name in chain.from_iterable(deal(list(wanted), self._workers, group)):
            requirement, implementation = wanted[name]
            item: RequirementItem = RequirementItem.from_parent(self, name=name)
            item.judge = partial(self._judge, self.judge, requirement, implementation, clock)
            item.side_effects = partial(self.judge.take_effects, implementation)
            item.reading = partial(self.judge.take_reading, implementation)
            item.implementation, item.strict = implementation, self.run.strict
            item.mark(rows[requirement])
            yield item

    def _judge(
        self,
        judge: Supervisor | LocalJudge,
        requirement: str,
        implementation: str,
        clock: Clock | None,
    ) -> Verdict:
        until = clock.until(share_of(requirement)) if clock is not None else None
        waiver = find_waiver(self.run.waivers, requirement, implementation)
        verdict = judge_with_waiver(
            waiver, partial(judge.judge, requirement, implementation, until)
        )
        return self.run.by_edition(verdict)

    @property
    def _workers(self) -> int:
        worker: dict[str, Any] = getattr(self.config, "workerinput", {})
        return int(worker.get("workercount", 1))


def _collector(config: pytest.Config) -> VerdictCollector:
    collector: VerdictCollector | None = config.pluginmanager.get_plugin(COLLECTOR)
    assert collector is not None, "the plugin has registered it"  # noqa: S101
    return collector


class Session:
    """The plugin object that exists only while implementations are being judged.

    Args:
        run: What to judge, and how.
    """

    def __init__(self, run: RunConfig) -> None:
        self.run = run
        self._judge: Supervisor | LocalJudge | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Resolve the implementations, in every process that will judge them.

        The controller of pytest-xdist judges nothing and imports nothing. A worker cannot end
        the run; it sends the refusal to the controller and collects no items.
        """
        config = session.config
        output: dict[str, Any] | None = getattr(config, "workeroutput", None)
        if output is None and config.pluginmanager.has_plugin("dsession"):
            return
        remember_compilations()
        try:
            self._judge = self._local_judge() if self.run.in_process else self._supervisor()
        except AdapterError as error:
            self._judge = None
            if output is None:
                raise pytest.UsageError(str(error)) from error
            output[REFUSAL] = str(error)

    def _supervisor(self) -> Supervisor:
        """Return the supervisor; raise an AdapterError if no implementation can be judged."""
        with collecting_rarely():
            from conformance.engine.sandbox.supervisor import Supervisor  # noqa: PLC0415  not in the controller

        supervisor = Supervisor(
            self.run.budget, self.run.limits(), strictly=self.run.strict_reading
        )
        self._judge = supervisor  # its process must be ended even after an interrupt here
        if refusal := supervisor.refusal_of_all(self.run.implementations):
            raise AdapterError(refusal)
        return supervisor

    def _local_judge(self) -> LocalJudge:
        """Return the judge; raise an AdapterError if any implementation cannot be judged."""
        from conformance.frontends.local_judge import LocalJudge, subject_of  # noqa: PLC0415  imports JAX

        names, strictly = self.run.implementations, self.run.strict_reading
        subjects = {name: subject_of(name, strictly=strictly) for name in names}
        return LocalJudge(subjects, self.run.budget)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Tell the controlling process how much memory the implementations took."""
        if self._judge is None:
            return
        output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
        peaks = self._judge.peak_memory()
        if output is None:
            _collector(session.config).add_peaks(peaks)
        else:
            output[PEAK_MEMORY] = peaks

    def pytest_unconfigure(self) -> None:
        """End all worker processes with the run."""
        if self._judge is not None:
            self._judge.close()

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        if file_path != ENTRY_FILE:
            return None
        collector: RequirementFile = RequirementFile.from_parent(parent, path=file_path)
        collector.run, collector.judge = self.run, self._judge
        return collector
