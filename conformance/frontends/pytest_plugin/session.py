"""Judging inside a pytest session: collecting requirements, running them, keeping verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from conformance import requirements
from conformance.adapters.errors import AdapterError
from conformance.engine.budget import Clock
from conformance.engine.jax_runtime import remember_compilations
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.engine.sandbox.worker_process import RunCancelled
from conformance.engine.scheduling import by_power, dealt
from conformance.frontends.pytest_plugin.collector import PROPERTY_KEY, Plan
from conformance.frontends.pytest_plugin.outcomes import junit_properties, raise_for_verdict
from conformance.report.waivers import Waiver, judged_with, waiver_for
from conformance.requirements import Level, Requirement
from conformance.requirements.verdict import Verdict, item_name

if TYPE_CHECKING:
    from conformance.engine.judge import Trial
    from conformance.properties.support.subject import Subject

T = TypeVar("T")

ENTRY_FILE = Path(requirements.__file__).with_name("judged")
"""One file stands for all requirements, so that they are collected once; it is none of Python's,
because pytest would import it, and what its package imports."""


class RequirementItem(pytest.Function):
    """One requirement and one implementation."""

    trial: Trial
    strict: bool
    clock: Clock | None
    waiver: Waiver | None = None

    def runtest(self) -> None:
        if self.clock is not None:
            self.trial.until = self.clock.until(self.trial.property.share)
        self.settle(judged_with(self.waiver, self._judged))

    def _judged(self, values: Mapping[str, Any] | None) -> Verdict:
        from conformance.engine.judge import Trial, judge, judge_stored  # noqa: PLC0415  heavy

        if values is None:
            return judge(self.trial, super().runtest)
        trial = self.trial
        return judge_stored(Trial(trial.property, trial.subject, trial.budget), values)

    def settle(self, verdict: Verdict) -> None:
        """Keep the verdict for the report, and let pytest know how it went."""
        self.user_properties.append((PROPERTY_KEY, json.dumps(verdict.to_json(internal=True))))
        self.user_properties.extend(junit_properties(verdict))
        raise_for_verdict(verdict, strict=self.strict)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


class UnsupportedItem(pytest.Item):
    """A requirement that does not apply, kept as an item so that nothing is silently absent."""

    verdict: Verdict
    strict = False

    def runtest(self) -> None:
        RequirementItem.settle(self, self.verdict)  # type: ignore[arg-type]

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


class RequirementFile(pytest.File):
    """The properties, as a collector: an item per requirement and implementation."""

    plan: Plan
    subjects: list[Subject]
    supervisor: Supervisor | None

    def collect(self) -> Iterator[pytest.Item]:
        if self.supervisor is not None:
            return self._isolated(self.supervisor)
        return self._in_process()

    def _in_process(self) -> Iterator[pytest.Item]:
        from conformance.engine.judge import Trial, unsupported  # noqa: PLC0415  imports Hypothesis
        from conformance.properties import PROPERTIES  # noqa: PLC0415

        wanted = self._wanted(self.subjects)
        clock = self._clock([PROPERTIES[row.id].share for _, row in wanted])
        for subject, row in wanted:
            name = item_name(row.id, subject.implementation.name)
            verdict = unsupported(row, subject)
            item: pytest.Item
            if verdict is not None:
                item = UnsupportedItem.from_parent(self, name=name)
                item.verdict = verdict
            else:
                trial = Trial(PROPERTIES[row.id], subject, self.plan.budget)
                item = RequirementItem.from_parent(self, name=name, callobj=trial.test)
                item.trial, item.strict, item.clock = trial, self.plan.strict, clock
                item.waiver = waiver_for(self.plan.waivers, row.id, subject.implementation.name)
            mark(item, row)
            yield item

    def _isolated(self, supervisor: Supervisor) -> Iterator[pytest.Item]:
        from conformance.frontends.pytest_plugin.items import IsolatedItem, shares  # noqa: PLC0415

        wanted = self._wanted(self.plan.implementations)
        needed = self.plan.ends is not None
        clock = self._clock(shares([row for _, row in wanted])) if needed else None
        for name, row in wanted:
            item = IsolatedItem.from_parent(self, name=item_name(row.id, name))
            item.row, item.implementation, item.supervisor = row, name, supervisor
            item.strict, item.clock = self.plan.strict, clock
            item.waivers = self.plan.waivers
            mark(item, row)
            yield item

    def _wanted(self, subjects: Sequence[T]) -> list[tuple[T, Requirement]]:
        """Return what is to be judged, in an order that serves every worker well."""
        rows, pairs = by_power(self.plan.requirements), self.plan.pairs
        wanted = [
            (subject, row)
            for subject, name in zip(subjects, self.plan.implementations, strict=False)
            for row in rows
            if pairs is None or item_name(row.id, name) in pairs
        ]
        return dealt(wanted, self._workers)

    @property
    def _workers(self) -> int:
        told: dict[str, Any] = getattr(self.config, "workerinput", {})
        return int(told.get("workercount", 1))

    def _clock(self, shares: list[float]) -> Clock | None:
        """Return what shares out the time among the requirements of this process."""
        if self.plan.ends is None:
            return None
        return Clock(self.plan.ends, sum(shares) / self._workers)


def mark(item: pytest.Item, row: Requirement) -> None:
    """Let ``-m 'requirement(id="BN-EMA-1")'`` and ``-k EMA`` select the item."""
    level = "must" if row.level is Level.MUST else "should"
    item.add_marker(pytest.mark.requirement(id=row.id, family=row.family, level=level))
    item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


class Session:
    """The plugin object that exists only while implementations are being judged.

    ``stop``: a file by which the controller of a worker ends the run.
    """

    def __init__(self, plan: Plan, stop: Path | None = None) -> None:
        self.plan, self.stop = plan, stop
        self._subjects: list[Subject] = []
        self._supervisor: Supervisor | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Resolve the implementations, in every process that will judge them.

        The controller of pytest-xdist judges nothing and imports nothing. A worker cannot end
        the run; it hands the refusal over and collects no items.
        """
        config = session.config
        output: dict[str, Any] | None = getattr(config, "workeroutput", None)
        if output is None and config.pluginmanager.has_plugin("dsession"):
            return
        remember_compilations()
        try:
            self._prepare()
        except RunCancelled:
            return  # another worker was faster; the first item will say so
        except AdapterError as error:
            if output is None:
                raise pytest.UsageError(str(error)) from error
            output["conformance_refusal"] = str(error)

    def _prepare(self) -> None:
        """Find out whether there is anything to judge; raise an AdapterError if not."""
        if self.plan.limits is not None:
            self._supervisor = Supervisor(
                self.plan.budget,
                self.plan.limits,
                strictly=self.plan.strict_reading,
                stop=self.stop,
            )
            refusals = []
            for name in self.plan.implementations:
                refusals.append(self._supervisor.refusal(name))
                if refusals[-1] is None:
                    return
            self._supervisor = None
            raise AdapterError("\n".join(dict.fromkeys(map(str, refusals))))
        from conformance.adapters.resolve import resolve  # noqa: PLC0415  may import anything
        from conformance.properties.support.subject import Subject  # noqa: PLC0415

        strictly = self.plan.strict_reading
        self._subjects = [
            Subject(resolve(name).read(strictly=strictly)) for name in self.plan.implementations
        ]

    def pytest_unconfigure(self) -> None:
        """Let no process outlive the run."""
        if self._supervisor is not None:
            self._supervisor.close()

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        if file_path != ENTRY_FILE:
            return None
        collector: RequirementFile = RequirementFile.from_parent(parent, path=file_path)
        collector.plan = self.plan
        collector.subjects, collector.supervisor = self._subjects, self._supervisor
        return collector
