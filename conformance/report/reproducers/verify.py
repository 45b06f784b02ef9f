"""Runs a script once, and writes it if it reproduces the violation."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from conformance.adapters.errors import printable
from conformance.engine.sandbox.limits import CALL_LIMIT
from conformance.report.atomic_files import write_text
from conformance.report.reproducers.construction_spec import Blueprint
from conformance.report.reproducers.render import START, limit_of, script_of
from conformance.report.reproducers.script import NoScript
from conformance.requirements.verdict import Verdict

_SHOWS = 1
_SHOWS_NOTHING = 0
_OCCURRENCES = 8
"""How many comparisons of the same quantity are tried: few claims repeat one more often."""

_TAIL = 400


def write_script(
    verdict: Verdict, blueprint: Blueprint, path: Path, limit: float = CALL_LIMIT + START
) -> None:
    """Write the script, after it was run and exited with 1.

    Args:
        verdict: A verdict with a violation.
        blueprint: How the implementation is constructed.
        path: Where to write the script.
        limit: The seconds that it may take, beyond the time limit of a layer that hangs.

    Raises:
        NoScript: There is none, or it does not show the violation; nothing is written.
    """
    assert verdict.violation is not None, "the caller looks for one"  # noqa: S101
    own = float(limit_of(verdict.violation.finding) or 0)
    try:
        text = _shown(verdict, blueprint, limit + own)
    except NoScript as error:
        identity = verdict.violation.id
        msg = (
            f"{identity} has no script: {error}. `conformance replay {identity}` shows it, "
            "without a script."
        )
        raise NoScript(msg) from error
    write_text(path, text)


def _shown(verdict: Verdict, blueprint: Blueprint, limit: float) -> str:
    """Return the first script that shows the violation."""
    for occurrence in range(_OCCURRENCES):
        try:
            text = script_of(verdict, blueprint, occurrence)
        except NoScript:
            if occurrence == 0:
                raise
            break
        status, said = _tried(text, limit)
        if status == _SHOWS:
            return text
        if status != _SHOWS_NOTHING:
            msg = f"the script exited with {status} (inconclusive): {said}"
            raise NoScript(msg)
    msg = (
        "the script exited with 0: from the same inputs the layer does not show it now, so it "
        "depends on earlier calls, on chance, or on another version of the layer"
    )
    raise NoScript(msg)


def _tried(text: str, limit: float) -> tuple[int, str]:
    """Run a script once; return its exit code, and the end of its output."""
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as output:
        draft = Path(directory) / "draft.py"
        draft.write_text(text, encoding="utf-8")
        process = subprocess.Popen(  # noqa: S603  it runs the user's layer
            [sys.executable, str(draft)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that processes of the layer end with it
        )
        try:
            status = process.wait(timeout=limit)
        except subprocess.TimeoutExpired as error:
            msg = f"the script did not finish within {limit:g} s, and was stopped"
            raise NoScript(msg) from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(max(0, output.seek(0, os.SEEK_END) - _TAIL))
        said = output.read().decode("utf-8", "replace").strip().splitlines()
    return status, printable(said[-1]) if said else "it said nothing"
