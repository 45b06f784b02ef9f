"""Finds entries of waiver files that match nothing in a whole pytest session.

A file may be shared by several calls of ``conformance_tests``, each of which does not know whether
the others need its other entries. The session knows, once everything is collected.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

MARKER = (
    "conformance_waivers(file, implementation): set by conformance_tests, so that unused "
    "entries of the file are found"
)
_OUTPUT = "conformance_waivers"
"""Key of ``workeroutput``: the file and the implementation of each call."""


class WaiverFiles:
    """The plugin object that checks the waiver files of a session."""

    def __init__(self) -> None:
        self._named: dict[str, set[str]] = {}
        self._unmatched: list[str] = []

    @pytest.hookimpl(tryfirst=True)  # before anything is deselected
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Record which implementations the calls of ``conformance_tests`` name."""
        marks = [mark for item in items for mark in item.iter_markers("conformance_waivers")]
        found = {(mark.kwargs["file"], mark.kwargs["implementation"]) for mark in marks}
        output: dict[str, Any] | None = getattr(config, "workeroutput", None)
        if output is not None:
            output[_OUTPUT] = [list(pair) for pair in sorted(found)]
        self._note(found)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:  # noqa: ARG002
        """Record what a worker has collected."""
        output = getattr(node, "workeroutput", None) or {}
        self._note({(file, name) for file, name in output.get(_OUTPUT, ())})

    def _note(self, found: set[tuple[str, str]]) -> None:
        for file, name in found:
            self._named.setdefault(file, set()).add(name)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a session in which entries match nothing."""
        ended = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        if hasattr(session.config, "workerinput") or not ended or not self._named:
            return
        from conformance.report.waiver_format import WaiverError, read_waivers  # noqa: PLC0415
        from conformance.report.waivers import describe_unmatched  # noqa: PLC0415

        for file, names in self._named.items():
            try:
                if collected_whole(session.config, Path(file)):
                    self._unmatched += describe_unmatched(read_waivers(Path(file)), names)
            except WaiverError as error:  # changed since the tests were collected
                self._unmatched.append(str(error))
        if self._unmatched:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the entries that match nothing."""
        for sentence in self._unmatched:
            terminalreporter.write_line(f"conformance: {sentence}", red=True)


def collected_whole(config: pytest.Config, file: Path) -> bool:
    """Return whether all test files were collected that may share a file of waivers.

    They were if pytest was given no arguments, or a directory above the file, unless ``--lf``
    skips test files or errors of collection are ignored.

    Args:
        config: The configuration of the session.
        file: The file of waivers.
    """
    if config.getoption("lf", False) or config.getoption("continue_on_collection_errors"):
        return False
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return True
    places = [(config.invocation_params.dir / arg).resolve() for arg in config.args]
    return any(place in file.resolve().parents for place in places)
