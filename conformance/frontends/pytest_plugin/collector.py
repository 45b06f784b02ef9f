"""What a run is about, and what came of it: from pytest's reports to a ``Report``.

Lives in the controlling process and imports no framework: with pytest-xdist the workers import
the implementations, and verdicts arrive as text.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from conformance.diagnosis.client import diagnoses
from conformance.engine.budget import Budget
from conformance.engine.sandbox.limits import Limits
from conformance.report.model import Footer, Header, Report, environment, in_order
from conformance.report.shards import Shard
from conformance.report.waivers import Waiver, stale
from conformance.requirements import REQUIREMENTS, Requirement
from conformance.requirements.verdict import Outcome, Verdict, item_name

PROPERTY_KEY = "conformance"
"""The user property of a test report that carries a verdict."""

EFFECTS_KEY = "conformance-side-effects"
"""The one that carries an implementation and the process-wide state that it changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The resolved choices of a run; ``pairs`` names the only items wanted, None means all.

    ``ends`` is when the run should be over, in seconds since 1970. ``limits`` are those of
    an implementation in a process of its own; None judges in this process.
    """

    implementations: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    budget: Budget
    strict: bool = False
    strict_reading: bool = False
    pairs: frozenset[str] | None = None
    ends: float | None = None
    limits: Limits | None = None
    shard: Shard | None = None
    waivers: tuple[Waiver, ...] = ()


_ITEM = re.compile(r"(BN-[A-Z-]+-\d+)\[(.*)\]$", re.DOTALL)


@dataclass(eq=False)  # pytest keeps its plugins in a set
class Ledger:
    """Collects verdicts as pytest reports them, on whatever process they were reached.

    ``asks``: whether to look for the mistakes that waivers expect, when all is judged;
    ``diagnoses`` are those that were found.
    """

    plan: Plan
    observer: Callable[[Verdict], None] | None = None
    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    refusal: str | None = None
    expected: set[tuple[str, str]] = field(default_factory=set)
    started: float = field(default_factory=time.time)
    workers: int = 1
    effects: dict[str, list[str]] = field(default_factory=dict)
    asks: bool = True
    diagnoses: dict[str, dict[str, Any]] | None = None
    _nodes: set[str] = field(default_factory=set)

    def note(self, verdict: Verdict) -> None:
        """Take down a verdict."""
        self.verdicts[verdict.requirement, verdict.implementation] = verdict
        if self.observer is not None:
            self.observer(verdict)

    def expect(self, nodeids: list[str]) -> None:
        """Take down what the run has set out to judge."""
        for nodeid in nodeids:
            if match := _ITEM.search(nodeid):
                self.expected.add((match[1], match[2]))

    def expect_everything(self) -> None:
        """Take down all that was asked for, when a run ended before it was collected."""
        self.expected |= {
            (row.id, name)
            for row in self.plan.requirements
            for name in self.plan.implementations
            if self.plan.pairs is None or item_name(row.id, name) in self.plan.pairs
        }

    def report(self, exit_code: int) -> Report:
        """Return the report of everything noted so far, in the order of the table."""
        verdicts = in_order(self.verdicts.values(), self.plan.implementations)
        missing = sorted(item_name(*pair) for pair in self.expected - set(self.verdicts))
        budget = self.plan.budget
        return Report(
            header=Header(
                started=self.started,
                profile=budget.profile,
                seed=budget.seed,
                max_examples=budget.max_examples,
                strict=self.plan.strict,
                strict_reading=self.plan.strict_reading,
                implementations=list(self.plan.implementations),
                requirements=[row.id for row in self.plan.requirements],
                workers=self.workers,
                environment=environment(),
                shard=None if self.plan.shard is None else str(self.plan.shard),
            ),
            verdicts=verdicts,
            diagnoses=self.diagnoses or {},
            side_effects=self.effects,
            footer=Footer(
                expected=len(self.expected),
                verdicts=len(verdicts),
                missing=missing,
                seconds=round(time.time() - self.started, 3),
                exit_code=exit_code,
            ),
        )

    # pytest hooks

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.expect([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self.expect(ids)
        self._nodes.add(node.gateway.id)
        self.workers = len(self._nodes)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ARG002
        output = getattr(node, "workeroutput", None) or {}
        self.refusal = self.refusal or output.get("conformance_refusal")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for key, value in report.user_properties:
            if key == EFFECTS_KEY and report.when == "call":
                name, effects = json.loads(str(value))
                known = self.effects.setdefault(name, [])
                known += [effect for effect in effects if effect not in known]
        for key, value in report.user_properties:
            if key == PROPERTY_KEY and report.when == "call":
                self.note(Verdict.from_json(json.loads(str(value))))
                return
        match = _ITEM.search(report.nodeid)
        if report.failed and match and (match[1], match[2]) not in self.verdicts:
            self.note(_without_verdict(match[1], match[2], str(report.longrepr)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Nothing judged is exit code 5; a refused implementation is a usage error."""
        if self.asks and self.expects_a_diagnosis:
            self.diagnoses = diagnoses(self.report(0))
        if self.refusal is not None:
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        elif session.exitstatus == pytest.ExitCode.INTERRUPTED and not self.expected:
            self.expect_everything()
        elif session.exitstatus == pytest.ExitCode.OK and self.stale:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif session.exitstatus == pytest.ExitCode.OK and not self.judged:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    @property
    def expects_a_diagnosis(self) -> bool:
        """Whether a violation is waived for one known mistake only."""
        return any(
            waiver.diagnosis and verdict.outcome is Outcome.WAIVED
            for waiver in self.plan.waivers
            if (verdict := self.verdicts.get((waiver.requirement, waiver.implementation)))
        )

    @property
    def stale(self) -> list[str]:
        """What is wrong with the waivers, now that there are verdicts."""
        names = self.plan.implementations
        return stale(self.plan.waivers, self.verdicts, names, self.diagnoses)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for sentence in self.stale:
            terminalreporter.write_line(f"conformance: {sentence}", red=True)

    @property
    def judged(self) -> bool:
        """Whether anything was compared with a requirement at all."""
        return any(verdict.outcome.judged for verdict in self.verdicts.values())


def _without_verdict(requirement: str, implementation: str, text: str) -> Verdict:
    """Return the verdict on an item that ended before it could give one: a crash, say."""
    return Verdict(
        requirement=requirement,
        implementation=implementation,
        kind="",
        outcome=Outcome.ERRORED,
        level=REQUIREMENTS[requirement].level,
        detail=text.strip()[-2000:],
    )
