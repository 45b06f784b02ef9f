"""Collects verdicts as pytest reports them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conformance.adapters.errors import printable
from conformance.diagnosis.client import diagnoses
from conformance.engine.tasks import Pair
from conformance.frontends.collection import Collection
from conformance.frontends.pytest_plugin.protocol import (
    EFFECTS,
    PEAK_MEMORY,
    READING,
    REFUSAL,
    RUN_CONFIG,
    VERDICT,
)
from conformance.report.exit_codes import ExitCode, exit_code_of
from conformance.report.observations import observation_lines
from conformance.report.text import explanation_lines, recognition_lines
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome, Verdict


@dataclass(eq=False)  # pytest keeps its plugins in a set
class VerdictCollector(Collection):
    """The plugin object that collects the verdicts of a session.

    Lives in the controlling process: with pytest-xdist the workers import the implementations, and
    verdicts arrive as text.

    Attributes:
        asks_for_diagnoses: Whether to look, at the end, for the mistakes that waivers expect.
    """

    asks_for_diagnoses: bool = True
    _nodes: set[str] = field(default_factory=set)
    _items: dict[str, Pair] = field(init=False)

    def __post_init__(self) -> None:
        self._items = self.run.items()

    def expect(self, nodeids: list[str]) -> None:
        """Store which pairs the run is to judge; other tests of the session do not count."""
        self.expected |= {pair for nodeid in nodeids if (pair := self._pair_of(nodeid))}

    def _pair_of(self, nodeid: str) -> Pair | None:
        """Return the pair that an item stands for; its name is the node id after the file."""
        return self._items.get(nodeid.partition("::")[2])

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
            self.add_effects(*json.loads(str(properties[EFFECTS])))
        if READING in properties:
            self.add_reading(*json.loads(str(properties[READING])))
        if VERDICT in properties:
            self.add(Verdict.from_json(json.loads(str(properties[VERDICT]))))
        elif report.failed and pair not in self.verdicts:
            self.add(self.run.by_edition(_errored(*pair, str(report.longrepr))))

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
        code = exit_code_of(self.verdicts.values(), strict=self.run.strict)
        return pytest.ExitCode.NO_TESTS_COLLECTED if code is ExitCode.NOTHING_JUDGED else status

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
        """Print causes, observations, what is wrong with waivers, why workers refused something."""
        from conformance.report.screen import answer_lines  # noqa: PLC0415  imports Rich

        report = self.report(0)
        for line in observation_lines(report):
            terminalreporter.write_line(printable(line))
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
