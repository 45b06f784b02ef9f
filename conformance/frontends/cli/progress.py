"""The display of a running session, as a pytest plugin."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance.frontends.pytest_plugin.collector import VerdictCollector
from conformance.frontends.pytest_plugin.protocol import COLLECTOR, STOP
from conformance.report.exit_codes import ExitCode, exit_code_of
from conformance.report.terminal import render_first
from conformance.requirements.verdict import Verdict


class ProgressDisplay:
    """Shows the progress of the run on a terminal; a pipe receives only the result.

    Args:
        collector: Collects the verdicts; its configuration is that of the session.
        console: Where to print.
        on_verdict: Receives each verdict as it arrives.
        bad: The word for verdicts that are not good.
        fail_fast: Print the first violation at once, and cancel the work of all workers.
        quiet: Do not print it.

    Attributes:
        configured: Whether pytest accepted the command, and the session began.
        announced: The violation that was printed at once.
    """

    def __init__(
        self,
        collector: VerdictCollector,
        console: Console,
        *,
        on_verdict: Callable[[Verdict], None] | None = None,
        bad: str = "not conforming",
        fail_fast: bool = False,
        quiet: bool = False,
    ) -> None:
        self.collector = collector
        self.configured = False
        self.announced: Verdict | None = None
        self._console, self._on_verdict = console, on_verdict
        self._word, self._bad = bad, 0
        self._fail_fast, self._quiet = fail_fast, quiet
        self._stop = Path(tempfile.gettempdir()) / f"conformance-stop-{uuid.uuid4().hex}"
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[bad]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=None, bad="")

    def observe(self, verdict: Verdict) -> None:
        """Advance the display."""
        if self._on_verdict is not None:
            self._on_verdict(verdict)
        if verdict.outcome.bad:
            self._bad += 1
        if self._fail_fast and self.announced is None:
            self._announce_failure(verdict)
        self._progress.update(
            self._task,
            description=f"judging {verdict.requirement:<12}",
            total=len(self.collector.expected) or None,
            completed=len(self.collector.verdicts),
            bad=f"[red]{self._bad} {self._word}" if self._bad else "",
        )

    def _announce_failure(self, verdict: Verdict) -> None:
        if exit_code_of([verdict], strict=self.collector.run.strict) is ExitCode.FAILED:
            self.announced = verdict
            if not self._quiet:
                render_first(self.collector.report(ExitCode.FAILED), verdict, self._console)
            self._stop.touch()  # otherwise a worker finishes its item, which may take ten seconds

    # pytest hooks

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Register the collector, and with it the configuration, before the plugin looks for it."""
        self.collector.on_verdict = self.observe
        self.collector.asks_for_diagnoses = False  # made after the violations are shown
        config.pluginmanager.register(self.collector, COLLECTOR)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.getplugin("terminalreporter")
        config.pluginmanager.unregister(reporter)
        self.configured = True
        self._progress.start()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[STOP] = str(self._stop)

    def pytest_unconfigure(self) -> None:
        self._progress.stop()
        self._stop.unlink(missing_ok=True)
