"""``watch`` and ``serve``: processes that stay, and never judge what is stale."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.sampling import exhaustive
from support.written_modules import SEED_SHAPED

SWAPPED = SEED_SHAPED.replace(
    "m * self.running_mean[...] + (1 - m) * mean", "(1 - m) * self.running_mean[...] + m * mean"
)
NO_FORK = pytest.mark.skipif(sys.platform != "linux", reason="slow where nothing is forked")
PATIENCE = 120


class Command:
    """A command of the suite that does not end by itself."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "conformance", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.lines.extend(output)

    def wait_for(self, text: str, since: int = 0) -> int:
        """Wait for a line, and return the number of lines up to it."""
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            for number, line in enumerate([*self.lines]):
                if number >= since and text in line:
                    return number + 1
            time.sleep(0.05)
        raise AssertionError(f"no {text!r} in {''.join(self.lines[since:])}")

    def end(self) -> int:
        """Interrupt it, and return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)


@NO_FORK
def test_each_saved_version_is_judged_and_no_older_one(tmp_path: Path):
    """A mistake is found when it is saved, and is gone when it is; a helper module counts too."""
    layer, helper = tmp_path / "my_norm.py", tmp_path / "weights.py"
    helper.write_text("STEP = 1\n")
    layer.write_text(SEED_SHAPED.replace("(1 - m) * mean", "(1 - m) * mean * STEP"))
    layer.write_text("from weights import STEP\n" + layer.read_text())
    watching = Command(tmp_path, "watch", "my_norm.py:Norm", "-k", "EMA-1", "--profile", "quick")
    try:
        seen = watching.wait_for("my_norm.py:Norm: conforms")
        helper.write_text("STEP = 2\n")
        seen = watching.wait_for("✗ BN-EMA-1", seen)
        seen = watching.wait_for("fails 1 of 1", seen)
        helper.write_text("STEP = 1  # again\n")
        seen = watching.wait_for("my_norm.py:Norm: conforms", seen)
        layer.write_text("def broken(:\n")
        seen = watching.wait_for("Error: ", seen)
        layer.write_text(SEED_SHAPED)
        watching.wait_for("my_norm.py:Norm: conforms", seen)
    finally:
        code = watching.end()
    assert code == 130


@exhaustive
@pytest.mark.parametrize("name", ["impl", "nowhere:Norm"])
def test_only_files_of_the_user_are_watched(name: str, tmp_path: Path):
    """What has no file of theirs is refused, with what to name instead."""
    watching = Command(tmp_path, "watch", name)
    watching.wait_for("there is no file to watch. Name one")
    assert watching.process.wait(PATIENCE) == 2


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[Command, Path]]:
    (tmp_path / "my_norm.py").write_text(SWAPPED)
    path = tmp_path / "s"
    serving = Command(tmp_path, "serve", str(path), "-j1")
    serving.wait_for("Listening")
    yield serving, path
    serving.end()


def ask(path: Path, request: Any) -> list[dict[str, Any]]:
    """Return the lines of an answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(path))
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as lines:
            return [json.loads(line) for line in lines]


@NO_FORK
def test_requests_are_answered_one_after_another(service: tuple[Command, Path]):
    """By verdicts and a report, by a grade, or by what is wrong with the request."""
    serving, path = service
    assert path.stat().st_mode & 0o777 == 0o600
    few = {
        "implementation": "my_norm.py:Norm",
        "requirements": ["EMA-1", "EVAL-1"],
        "profile": "quick",
    }
    *verdicts, last = ask(path, few | {"diagnose": False})
    outcomes = {each["verdict"]["requirement"]: each["verdict"]["outcome"] for each in verdicts}
    assert outcomes == {"BN-EMA-1": "violates", "BN-EVAL-1": "conforms"}
    assert last["report"]["footer"]["exit_code"] == 1

    (answer,) = ask(path, few | {"grade": True, "diagnose": False})
    assert not answer["grade"]["grades"][0]["passed"]

    (refused,) = ask(path, few | {"profile": "long"})
    assert refused == {"error": "profile 'long': expected one of quick, default, thorough"}
    (refused,) = ask(path, {"implementation": "my_norm.py:Norn"})
    assert "Did you mean 'Norm'?" in refused["error"]

    assert serving.end() == 130
    assert not path.exists()


@exhaustive
def test_whoever_goes_away_is_not_waited_for(service: tuple[Command, Path]):
    """The judgement for a closed connection ends, and the next request is answered."""
    _, path = service
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b'{"implementation": "impl", "profile": "thorough"}\n')
        time.sleep(2)
    *_, last = ask(path, {"implementation": "impl", "requirements": ["EMA-1"], "profile": "quick"})
    assert last["report"]["footer"]["exit_code"] == 0
