"""Judges a gallery in one pytest session, whose workers keep the programs that faults share."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest

from conformance.adapters.errors import printable
from conformance.engine.jax_runtime import cache_directory, offer_host_devices
from conformance.frontends.progress import ProgressDisplay
from conformance.frontends.pytest_plugin.collector import VerdictCollector
from conformance.frontends.pytest_plugin.protocol import COLLECTOR
from conformance.frontends.pytest_plugin.pytest_session import ENTRY_FILE

_PACKAGE = ENTRY_FILE.parent.parent
_SETTINGS = Path(__file__).with_name("pytest.ini")


class _Plugin:
    """Lets pytest judge what a collector is configured for, and print nothing."""

    def __init__(self, collector: VerdictCollector, display: ProgressDisplay) -> None:
        self._collector, self._display = collector, display
        self.configured = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Register the collector, and with it the configuration, before the plugin looks for it."""
        self._collector.asks_for_diagnoses = False
        config.pluginmanager.register(self._collector, COLLECTOR)

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.getplugin("terminalreporter")
        config.pluginmanager.unregister(reporter)
        self.configured = True
        self._display.__enter__()

    def pytest_unconfigure(self) -> None:
        self._display.__exit__()


def run_session(collector: VerdictCollector, display: ProgressDisplay, jobs: str) -> int | None:
    """Run a pytest session.

    Args:
        collector: What collects the verdicts, with the configuration of the session.
        display: Shows the progress.
        jobs: Number of worker processes, or ``auto``.

    Returns:
        The exit status; None if the command cannot be used, after an error message.
    """
    settings = [
        f"--config-file={_SETTINGS}",
        f"--rootdir={_PACKAGE}",
        f"--confcutdir={_PACKAGE}",
        *("-p", "conformance.frontends.pytest_plugin"),
        *("-p", "no:cacheprovider"),
        "-p",
        "no:unraisableexception",  # which collects garbage five times at the end: 0.2 s per process
    ]
    if jobs != "1":
        settings += ["-p", "xdist.plugin", f"--numprocesses={jobs}", "--dist=worksteal"]
    offer_host_devices()
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # also in the workers
    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(cache_directory() / "hypothesis"))
    plugin = _Plugin(collector, display)
    try:
        status = int(pytest.main([*settings, str(ENTRY_FILE)], plugins=[plugin]))
    except KeyboardInterrupt:
        status = int(pytest.ExitCode.INTERRUPTED)  # before the session began
    if collector.refusal is not None:
        click.echo(f"Error: {printable(collector.refusal)}", err=True)
        return None
    if not plugin.configured or status == pytest.ExitCode.USAGE_ERROR:
        return None  # pytest has printed the error itself where there are no workers
    return status
