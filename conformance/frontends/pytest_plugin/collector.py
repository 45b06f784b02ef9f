"""Collects verdicts as pytest reports them, and makes the ``Report``.

Lives in the controlling process and imports no framework: with pytest-xdist the workers import
the implementations, and verdicts arrive as text.
"""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conformance.adapters.errors import printable
from conformance.diagnosis.client import diagnoses
from conformance.frontends.pytest_plugin.protocol import (
    EFFECTS,
    PEAK_MEMORY,
    READING,
    REFUSAL,
    RUN_CONFIG,
    VERDICT,
)
from conformance.frontends.run_config import RunConfig
from conformance.report.model import Footer, Header, Report, read_environment, sort_verdicts
from conformance.report.text import explanation_lines, recognition_lines
from conformance.report.waivers import describe_stale
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome, Verdict, item_name

Pair = tuple[str, str]
"""The id of a requirement, and the name of an implementation."""


@dataclass(eq=False)  # pytest keeps its plugins in a set
class VerdictCollector:
    """The plugin object that collects the verdicts of a run.

    Attributes:
        run: What is judged, and how.
        on_verdict: Receives each verdict as it arrives.
        asks_for_diagnoses: Whether to look, at the end, for the mistakes that waivers expect.
        verdicts: The verdicts by requirement and implementation.
        refusal: Why the workers cannot judge anything, if they cannot.
        usage_error: Why a session without workers cannot judge anything; pytest prints it.
        expected: The pairs that the run is to judge.
        started: The start of the run, in seconds since 1970.
        workers: The number of processes that judge.
        effects: The process-wide state that each implementation changed.
        peaks: The largest resident memory of the processes of each implementation, in bytes.
        recognitions: How implementations without an adapter were read, by name.
        mined: Numbers that the source of each implementation mentions.
        devices: What the device of each implementation calls itself.
        diagnoses: The diagnoses by implementation; None where none was made.
    """

    run: RunConfig
    on_verdict: Callable[[Verdict], None] | None = None
    asks_for_diagnoses: bool = True
    verdicts: dict[Pair, Verdict] = field(default_factory=dict)
    refusal: str | None = None
    usage_error: str | None = None
    expected: set[Pair] = field(default_factory=set)
    started: float = field(default_factory=time.time)
    workers: int = 1
    effects: dict[str, list[str]] = field(default_factory=dict)
    peaks: dict[str, int] = field(default_factory=dict)
    recognitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    mined: dict[str, list[float]] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    diagnoses: dict[str, dict[str, Any]] | None = None
    _nodes: set[str] = field(default_factory=set)
    _items: dict[str, Pair] = field(init=False)

    def __post_init__(self) -> None:
        self._items = self.run.items()

    def add(self, verdict: Verdict) -> None:
        """Store a verdict."""
        self.verdicts[verdict.requirement, verdict.implementation] = verdict
        if self.on_verdict is not None:
            self.on_verdict(verdict)

    def add_peaks(self, peaks: Mapping[str, int]) -> None:
        """Store how much memory the implementations took in one process that judges."""
        for name, peak in peaks.items():
            self.peaks[name] = max(peak, self.peaks.get(name, 0))

    def expect(self, nodeids: list[str]) -> None:
        """Store which pairs the run is to judge; other tests of the session do not count."""
        self.expected |= {pair for nodeid in nodeids if (pair := self._pair_of(nodeid))}

    def _pair_of(self, nodeid: str) -> Pair | None:
        """Return the pair that an item stands for; its name is the node id after the file."""
        return self._items.get(nodeid.partition("::")[2])

    def report(self, exit_code: int) -> Report:
        """Return the report on everything collected so far, in the order of the table."""
        verdicts = sort_verdicts(self.verdicts.values(), self.run.implementations)
        missing = sorted(item_name(*pair) for pair in self.expected - set(self.verdicts))
        return Report(
            header=self._header(),
            verdicts=verdicts,
            diagnoses=self.diagnoses or {},
            side_effects=self.effects,
            recognitions=self.recognitions,
            mined=self.mined,
            devices=self.devices,
            footer=Footer(
                expected=len(self.expected),
                verdicts=len(verdicts),
                missing=missing,
                seconds=round(time.time() - self.started, 3),
                exit_code=int(exit_code),
            ),
        )

    def _header(self) -> Header:
        return Header(
            started=self.started,
            profile=self.run.budget.profile,
            seed=self.run.budget.seed,
            max_examples=self.run.budget.max_examples,
            strict=self.run.strict,
            strict_reading=self.run.strict_reading,
            implementations=list(self.run.implementations),
            requirements=[row.id for row in self.run.requirements],
            workers=self.workers,
            environment=read_environment(),
            shard=None if self.run.shard is None else str(self.run.shard),
        )

    @property
    def expects_a_diagnosis(self) -> bool:
        """Whether a waiver of a violation accepts one known mistake only."""
        return any(
            waiver.diagnosis and verdict.outcome is Outcome.WAIVED
            for waiver in self.run.waivers
            if (verdict := self.verdicts.get((waiver.requirement, waiver.implementation)))
        )

    @property
    def stale(self) -> list[str]:
        """What is wrong with the waivers, now that there are verdicts."""
        names = self.run.implementations
        return describe_stale(self.run.waivers, self.verdicts, names, self.diagnoses)

    # pytest hooks

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[RUN_CONFIG] = pickle.dumps(self.run)

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
        self.refusal = self.refusal or output.get(REFUSAL)
        self.add_peaks(output.get(PEAK_MEMORY, {}))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        pair = self._pair_of(report.nodeid)
        if pair is None:
            return
        properties = dict(report.user_properties) if report.when == "call" else {}
        if EFFECTS in properties:
            name, effects = json.loads(str(properties[EFFECTS]))
            known = self.effects.setdefault(name, [])
            known += [effect for effect in effects if effect not in known]
        if READING in properties:
            name, reading = json.loads(str(properties[READING]))
            kept: dict[str, dict[str, Any]] = {
                "recognition": self.recognitions,
                "mined": self.mined,
                "device": self.devices,
            }
            for part, by_name in kept.items():
                if part in reading:
                    by_name[name] = reading[part]
        if VERDICT in properties:
            self.add(Verdict.from_json(json.loads(str(properties[VERDICT]))))
        elif report.failed and pair not in self.verdicts:
            self.add(_errored(*pair, str(report.longrepr)))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Decide the exit status before other plugins see it, and write the report after them."""
        if self.asks_for_diagnoses and self.expects_a_diagnosis:
            self.diagnoses = diagnoses(self.report(0))
        if session.exitstatus == pytest.ExitCode.INTERRUPTED and not self.expected:
            self.expected = set(self._items.values())  # it ended before they were collected
        session.exitstatus = self._exit_status(session.exitstatus)
        result = yield
        self._write_report(session)
        return result

    def _exit_status(self, status: int | pytest.ExitCode) -> int | pytest.ExitCode:
        """Return pytest's exit status, corrected for what pytest itself cannot know."""
        if self.refusal is not None:
            return pytest.ExitCode.USAGE_ERROR
        if status != pytest.ExitCode.OK:
            return status
        if self.stale:
            return pytest.ExitCode.TESTS_FAILED
        judged = any(verdict.outcome.judged for verdict in self.verdicts.values())
        return status if judged else pytest.ExitCode.NO_TESTS_COLLECTED

    def _write_report(self, session: pytest.Session) -> None:
        """Write the report to the file that ``--conformance-report`` names."""
        target = session.config.getoption("--conformance-report")
        if not target or session.exitstatus == pytest.ExitCode.USAGE_ERROR:
            return  # an old report is kept if nothing was judged
        try:
            self.report(int(session.exitstatus)).write(Path(target))
        except OSError as error:  # for example, the disk is full by now
            self.refusal = f"--conformance-report={target} cannot be written: {error.strerror}"
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the causes, what is wrong with waivers, and why workers refused something."""
        from conformance.report.screen import answer_lines  # noqa: PLC0415  imports Rich

        report = self.report(0)
        for name in self.run.implementations:
            if any(verdict.outcome.bad for verdict in report.of(name)):
                terminalreporter.section(f"conformance of {printable(name)}")
                for line in answer_lines(report, name):
                    terminalreporter.write_line(printable(line))
        for name, recognition in self.recognitions.items() if self.run.explain else ():
            terminalreporter.section(f"recognition of {printable(name)}")
            for line in [*recognition_lines(recognition), *explanation_lines(recognition)]:
                terminalreporter.write_line(printable(line))
        for sentence in self.stale:
            terminalreporter.write_line(f"conformance: {sentence}", red=True)
        if self.refusal is not None:
            terminalreporter.write_line(f"ERROR: {self.refusal}", red=True)


def _errored(requirement: str, implementation: str, text: str) -> Verdict:
    """Return the verdict on an item that ended without one, for example by a crash."""
    return Verdict(
        requirement=requirement,
        implementation=implementation,
        kind="",
        outcome=Outcome.ERRORED,
        level=REQUIREMENTS[requirement].level,
        detail=text.strip()[-2000:],
    )
