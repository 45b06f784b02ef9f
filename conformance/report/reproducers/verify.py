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
from conformance.report.reproducers.no_script import NoScript
from conformance.report.reproducers.recorder import NOT_NOW, Recording
from conformance.report.reproducers.render import START, limit_of, script_of
from conformance.requirements.verdict import Verdict

_SHOWS = 1
_SHOWS_NOTHING = 0
_TAIL = 400


def write_script(
    verdict: Verdict,
    recording: Recording,
    blueprint: Blueprint,
    path: Path,
    limit: float = CALL_LIMIT + START,
    interpreter: str = sys.executable,
) -> None:
    """Write the script, after it was run and exited with 1.

    Args:
        verdict: A verdict with a violation.
        recording: What happened in its case.
        blueprint: How the implementation is constructed.
        path: Where to write the script.
        limit: The seconds that it may take, beyond the time limit of a layer that hangs.
        interpreter: That of the environment of the implementation.

    Raises:
        NoScript: There is none, or it does not show the violation; nothing is written.
    """
    assert recording.finding is not None, "nothing else is recorded to its end"  # noqa: S101
    own = float(limit_of(recording.finding) or 0)
    failures = []
    for plain in (True, False):
        text = script_of(verdict, recording, blueprint, plain=plain)
        status, said = _tried(text, limit + own, interpreter)
        if status == _SHOWS:
            write_text(path, text)
            return
        failures.append(f"the script exited with {status} (inconclusive): {said}")
        if status == _SHOWS_NOTHING:
            failures[-1] = f"the script exited with 0: {NOT_NOW}"
    raise NoScript(failures[-1])


def _tried(text: str, limit: float, interpreter: str) -> tuple[int, str]:
    """Run a script once; return its exit code, and the end of its output."""
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryFile() as output:
        draft = Path(directory) / "draft.py"
        draft.write_text(text, encoding="utf-8")
        process = subprocess.Popen(  # noqa: S603  it runs the user's layer
            [interpreter, str(draft)],
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
