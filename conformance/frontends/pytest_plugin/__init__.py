"""The pytest plugin: options, and nothing else until ``--impl`` is given.

Importing this module imports neither jax nor flax, NumPy or Hypothesis.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.frontends.options import add_options
from conformance.frontends.pytest_plugin import waiver_files

if TYPE_CHECKING:
    from conformance.frontends.pytest_plugin.collector import Ledger

LEDGER: pytest.StashKey[Ledger] = pytest.StashKey()
STOP = "conformance_stop"
"""Under which a worker is told the file that ends the run once it exists."""

_MARKER = (
    "requirement(id, family, level): one requirement of the BatchNorm conformance suite; "
    "select with -m 'requirement(id=\"BN-EMA-1\")'"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options in one group."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the machinery if there is something to judge."""
    config.addinivalue_line("markers", _MARKER)
    config.addinivalue_line("markers", waiver_files.MARKER)
    config.pluginmanager.register(waiver_files.WaiverFiles(), "conformance-waiver-files")
    if not config.getoption("--impl"):
        return
    from conformance.frontends.pytest_plugin.collector import Ledger  # noqa: PLC0415  only when judging
    from conformance.frontends.pytest_plugin.config import plan_of  # noqa: PLC0415
    from conformance.frontends.pytest_plugin.session import Session  # noqa: PLC0415

    plan = plan_of(config)
    stop = getattr(config, "workerinput", {}).get(STOP)
    session = Session(plan, None if stop is None else Path(stop))
    config.pluginmanager.register(session, "conformance-session")
    if not hasattr(config, "workerinput"):
        ledger = config.stash.get(LEDGER, None) or Ledger(plan)
        config.stash[LEDGER] = ledger
        config.pluginmanager.register(ledger, "conformance-ledger")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Echo what decides the verdicts."""
    ledger = config.stash.get(LEDGER, None)
    if ledger is None:
        return None
    chosen = ledger.plan.budget
    return (
        f"conformance: judging {', '.join(ledger.plan.implementations)}; {chosen.profile} profile, "
        f"{chosen.max_examples} cases per property, seed {chosen.seed}"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Refuse to collect this package when there is nothing to judge."""
    config = session.config
    named = any(arg.split(".")[0].split("::")[0] == "conformance" for arg in config.args)
    if named and config.getoption("--pyargs") and not config.getoption("--impl"):
        msg = (
            "conformance: no implementation to judge. Name one with --impl, such as --impl impl, "
            "--impl my_package.norm:MyBatchNorm or --impl ./my_norm.py:MyBatchNorm"
        )
        raise pytest.UsageError(msg)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, on the controller only."""
    ledger = session.config.stash.get(LEDGER, None)
    target = session.config.getoption("--conformance-report")
    usable = session.exitstatus != pytest.ExitCode.USAGE_ERROR  # else an old report is kept
    if ledger is not None and target and usable:
        try:
            ledger.report(int(session.exitstatus)).write(Path(target))
        except OSError as error:  # a disk that is full now; told by the summary
            why = f"--conformance-report={target} cannot be written: {error.strerror}"
            ledger.refusal, session.exitstatus = why, pytest.ExitCode.USAGE_ERROR


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why workers refused an implementation."""
    ledger = terminalreporter.config.stash.get(LEDGER, None)
    if ledger is not None and ledger.refusal is not None:
        terminalreporter.write_line(f"ERROR: {ledger.refusal}", red=True)
