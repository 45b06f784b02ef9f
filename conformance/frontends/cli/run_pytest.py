"""One pytest session for ``conformance run``, apart from the user's own pytest settings."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import conformance
from conformance.adapters.errors import printable
from conformance.diagnosis.client import diagnoses
from conformance.engine.jax_runtime import (
    cache_directory,
    forget_old_compilations,
    offer_host_devices,
)
from conformance.frontends.cli.history import keep
from conformance.frontends.cli.publishing import write
from conformance.frontends.cli.signals import interrupts
from conformance.frontends.pytest_plugin import LEDGER, STOP
from conformance.frontends.pytest_plugin.collector import Ledger
from conformance.report.atomic_files import replaceable
from conformance.report.exit_codes import exit_code_of
from conformance.report.model import Report
from conformance.report.terminal import render_conclusion, render_findings, render_first
from conformance.requirements.verdict import Outcome, Verdict

_PACKAGE = Path(conformance.__file__).parent
_SETTINGS = Path(__file__).with_name("pytest.ini")
USAGE, _NOTHING = 2, 5


_BAD = "not conforming"


class Display:
    """Shows how far the run is, on a terminal; a pipe sees the result only.

    ``keep`` is called with each verdict; ``bad`` is the word for those that are not good. With
    ``tells_first`` what ends the run is printed at once, and ``told`` from then on.
    """

    def __init__(
        self,
        console: Console,
        keep: Callable[[Verdict], None] | None = None,
        bad: str = _BAD,
        *,
        tells_first: bool = False,
    ) -> None:
        self.ledger: Ledger | None = None
        self.told: Verdict | None = None
        self._console = console
        self._tells_first = tells_first
        self._stop = Path(tempfile.gettempdir()) / f"conformance-stop-{uuid.uuid4().hex}"
        self._keep = keep
        self._word = bad
        self._bad = 0
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

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        if hasattr(config, "workerinput"):
            return
        reporter = config.pluginmanager.getplugin("terminalreporter")
        config.pluginmanager.unregister(reporter)
        self.ledger = config.stash[LEDGER]
        self.ledger.observer = self.observe
        self.ledger.asks = False  # for mistakes: asked here, after the violations are shown
        self._progress.start()

    def observe(self, verdict: Verdict) -> None:
        """Move the display on."""
        assert self.ledger is not None, "configured"  # noqa: S101
        if self._keep is not None:
            self._keep(verdict)
        if verdict.outcome.bad:
            self._bad += 1
        fails = exit_code_of([verdict], strict=self.ledger.plan.strict) == 1
        if self._tells_first and fails and self.told is None:
            self.told = verdict
            render_first(self.ledger.report(1), verdict, self._console)
            self._stop.touch()  # else a worker finishes what it is at, up to ten seconds of it
        self._progress.update(
            self._task,
            description=f"judging {verdict.requirement:<12}",
            total=len(self.ledger.expected) or None,
            completed=len(self.ledger.verdicts),
            bad=f"[red]{self._bad} {self._word}" if self._bad else "",
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[STOP] = str(self._stop)

    def pytest_unconfigure(self) -> None:
        self._progress.stop()
        self._stop.unlink(missing_ok=True)


def console_of(*, color: bool) -> Console:
    """Return where to print: a terminal as wide as it is, anything else 80 columns wide."""
    console = Console(no_color=not color, highlight=False, soft_wrap=False, emoji=False)
    if console.is_terminal:
        return console
    return Console(no_color=True, highlight=False, width=80, emoji=False)


def judge_by_pytest(
    arguments: list[str],
    jobs: str,
    *,
    color: bool,
    target: Path | None,
    junit: Path | None,
    diagnosed: bool,
) -> tuple[Report | None, int]:
    """Run pytest with the arguments, write and print the report; return it and the exit code."""
    console = console_of(color=color)
    display = Display(console, tells_first="-x" in arguments)
    with interrupts() as received, _draft_of(junit) as drafted:
        ledger, status = ledger_of([*arguments, *drafted], jobs, display)
        if ledger is None:
            return None, received.exit_code or USAGE
        _publish_draft(drafted, junit)
    forget_old_compilations()
    report = ledger.report(received.exit_code or _exit_code(ledger, status))
    if target is not None and replaceable(target):
        write("report", target, report.to_text())  # before anything else can be interrupted
    render_findings(report, console, display.told)  # before the diagnosis, which takes seconds
    if diagnosed and not received.exit_code:
        _explain(report, ledger, console)
    wrong = ledger.stale
    if wrong and report.footer.exit_code in {0, _NOTHING}:
        report = replace(report, footer=replace(report.footer, exit_code=USAGE))
    if target is not None and (wrong or report.diagnoses or not replaceable(target)):
        write("report", target, report.to_text())
    render_conclusion(report, console)
    keep(report)
    for sentence in wrong:
        click.echo(f"Error: {printable(sentence)}", err=True)
    return report, report.footer.exit_code


@contextmanager
def _draft_of(junit: Path | None) -> Iterator[list[str]]:
    """Yield the option by which pytest writes JUnit XML elsewhere: it would write in any case."""
    if junit is None:
        yield []
        return
    with tempfile.TemporaryDirectory(prefix="conformance-") as place:
        yield [f"--junitxml={Path(place) / 'junit.xml'}"]


def _publish_draft(drafted: list[str], junit: Path | None) -> None:
    for option in drafted:
        draft = Path(option.partition("=")[2])
        if junit is not None and draft.exists():
            write("junit", junit, draft.read_text(encoding="utf-8"))


def _explain(report: Report, ledger: Ledger, console: Console) -> None:
    """Look for the mistakes: for the report of a whole run, and for waivers that expect one."""
    whole = ledger.plan.shard is None
    violated = any(v.outcome is Outcome.VIOLATES for v in report.verdicts)
    if not ledger.expects_a_diagnosis and not (whole and violated):
        return
    with console.status("looking for the mistake"):
        ledger.diagnoses = diagnoses(report)
    if whole:
        report.diagnoses.update(ledger.diagnoses)


def ledger_of(arguments: list[str], jobs: str, display: Display) -> tuple[Ledger | None, int]:
    """Run pytest with the arguments; the ledger is None if the command was not usable."""
    status = _pytest(arguments, jobs, display)
    ledger = display.ledger
    if ledger is not None and ledger.refusal is not None:
        click.echo(f"Error: {printable(ledger.refusal)}", err=True)
        return None, USAGE
    if status == pytest.ExitCode.USAGE_ERROR:
        return None, USAGE  # pytest has printed the error itself where there are no workers
    return ledger, status


def _pytest(arguments: list[str], jobs: str, display: Display) -> int:
    settings = [
        f"--config-file={_SETTINGS}",
        f"--rootdir={_PACKAGE}",
        f"--confcutdir={_PACKAGE}",
        "-p",
        "conformance.frontends.pytest_plugin",
        "-p",
        "no:cacheprovider",
    ]
    if jobs != "1":
        settings += ["-p", "xdist.plugin", f"--numprocesses={jobs}", "--dist=worksteal"]
    offer_host_devices()
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # in the workers, too
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache_directory() / "hypothesis"))
    target = str(_PACKAGE / "requirements" / "judged")
    try:
        return int(pytest.main([*settings, *arguments, target], plugins=[display]))
    except KeyboardInterrupt:
        return int(pytest.ExitCode.INTERRUPTED)  # before the session has begun


def _exit_code(ledger: Ledger, status: int) -> int:
    """Return 0, 1, 2 or 5, as documented by ``conformance run --help``."""
    verdicts = ledger.verdicts.values()
    if not verdicts and status not in {0, _NOTHING}:
        return USAGE
    code = exit_code_of(verdicts, strict=ledger.plan.strict)
    return 1 if code == 0 and status not in {0, 1} else code
