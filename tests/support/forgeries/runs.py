"""Judges submissions on the command line, and says how that ended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import conformance
from conformance.requirements import REQUIREMENTS, Level
from support.forgeries import End, Submission
from support.forgeries.layers import MUST_VIOLATE

TESTS = Path(__file__).parents[2]
_PATIENCE = 120
"""Seconds for a run that takes three; a layer that stops the clock of the suite takes all."""


@dataclass(frozen=True, slots=True)
class Run:
    """How one run of the command line ended.

    Attributes:
        code: The exit code; None if it did not end.
        outcomes: The outcome of each requirement; empty without a report.
        promised: The exit code that the report states.
        said: What was printed.
    """

    code: int | None
    outcomes: dict[str, str] = field(default_factory=dict)
    promised: int | None = None
    said: str = ""


def judge(found: Submission, folder: Path) -> Run:
    """Judge a submission in a folder that it may fill; return the last of its rounds."""
    path = [str(TESTS)]  # an empty entry would be the working folder
    if found.suite_copied:
        suite = Path(conformance.__file__).parent
        shutil.copytree(suite, folder / "lib" / suite.name, dirs_exist_ok=True)
        path.insert(0, str(folder / "lib"))
    for _ in range(found.rounds):
        run = _run(found, folder, os.pathsep.join(path))
    return run


def _run(found: Submission, folder: Path, path: str) -> Run:
    report, said = folder / "report.json", folder / "said.txt"
    report.unlink(missing_ok=True)
    temporary = folder / "tmp"  # so that no submission finds the files of another run
    temporary.mkdir(exist_ok=True)
    command = [
        *(sys.executable, *["-P"] * (not found.folder_on_path), "-m", "conformance", "run"),
        *(found.name, "-j1", "--profile=quick", "--no-diagnosis", "--call-timeout=10"),
        *("--report=report.json", *(f"-k{name}" for name in found.judged), *found.options),
    ]
    with said.open("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | {"COLUMNS": "80", "PYTHONPATH": path, "TMPDIR": str(temporary)},
            start_new_session=True,
        )
        try:
            code = process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            code = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # it is the leader of its own session
        process.wait()
    return _read(code, report, said.read_text("utf-8", "replace"))


def _read(code: int | None, report: Path, said: str) -> Run:
    try:
        data: Any = json.loads(report.read_text("utf-8"))
        outcomes = {v["requirement"]: v["outcome"] for v in data["verdicts"]}
        return Run(code, outcomes, data["footer"]["exit_code"], said)
    except (OSError, ValueError, LookupError, TypeError):
        return Run(code, said=said)


def complaint(found: Submission, run: Run) -> str:
    """Return what is wrong with the end of a run; empty if it is as it must be."""
    if found.end is End.RUN:
        held = run.code not in {0, None} and not _favourable(found, run)
        return "" if held else "the run ended as if all were well"
    red = any(REQUIREMENTS[name].level is Level.MUST for name in must_violate(found))
    if found.on_word:
        seen = set(run.outcomes.values()), run.code
        return "" if seen in (({"conforms"}, 0), ({"violates"}, int(red))) else f"{seen}"
    right = found.layer == "Right" or bool(found.limit)
    if run.code != int(red) or run.promised != run.code:
        return f"exit code {run.code}, and {run.promised} in the report"
    if set(run.outcomes) != set(found.judged):
        return f"judged {sorted(run.outcomes)}"
    allowed = {"violates", "errored"} if found.end is End.LOSS else {"violates"}
    wrong = [name for name in must_violate(found) if run.outcomes[name] not in allowed]
    if right:
        wrong = [name for name in found.judged if run.outcomes[name] != "conforms"]
    return ", ".join(f"{name} {run.outcomes[name]}" for name in sorted(wrong))


def must_violate(found: Submission) -> set[str]:
    """Return the ids that a submission must be found to violate."""
    return set() if found.limit else MUST_VIOLATE[found.layer]


def _favourable(found: Submission, run: Run) -> bool:
    return any(run.outcomes.get(name) == "conforms" for name in must_violate(found))
