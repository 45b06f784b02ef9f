"""Ctrl-C and SIGTERM: a run keeps its verdicts, and an interrupt is not taken for a violation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from support.hostile_runs import TESTS

from conformance.adapters import call_hooks
from conformance.adapters.implementation import Implementation
from conformance.properties.support.subject import Subject
from conformance.report.model import SCHEMA

MARKING = """
import os, time
from pathlib import Path
from support.numpy_norm import NumpyNorm, implementation

class Marking(NumpyNorm):
    def __call__(self, x, use_running_average):
        with Path("called").open("a") as file:
            print(os.getpid(), file=file)
        while True:
            time.sleep(0.1)

layer = implementation(Marking)
"""


@pytest.mark.parametrize(
    ("number", "jobs"),
    [(signal.SIGINT, "2"), (signal.SIGTERM, "1")],
    ids=["Ctrl-C, two workers", "SIGTERM, one process"],
)
def test_an_interrupted_run_keeps_what_it_has(number, jobs, tmp_path):
    """The report is valid and incomplete, lists missing verdicts, and no process is left."""
    report = tmp_path / "report.json"
    (tmp_path / "marking.py").write_text(MARKING, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{os.environ.get('PYTHONPATH')}"}
    command = [sys.executable, "-m", "conformance", "run", "marking.py:layer"]
    running = subprocess.Popen(
        [*command, "-k", "EVAL", "-j", jobs, "--report", str(report)],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not (tmp_path / "called").exists() and time.monotonic() < until:
        time.sleep(0.1)
    running.send_signal(number)
    output, _ = running.communicate(timeout=60)

    assert running.returncode == 128 + number, output
    assert "Traceback" not in output
    assert "Incomplete: " in output
    data = json.loads(report.read_text(encoding="utf-8"))
    jsonschema.validate(data, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert not data["footer"]["complete"]
    assert "BN-EVAL-1[marking.py:layer]" in data["footer"]["missing"]
    for process in (tmp_path / "called").read_text().split():
        assert has_ended(process), "it hangs on"


def has_ended(process: str) -> bool:
    """Whether a process is gone within 10 s, or is only waiting to be counted."""
    for _ in range(100):
        try:
            if "State:\tZ" in Path(f"/proc/{process}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


def test_an_interrupt_of_the_user_is_no_violation(monkeypatch):
    """In a process that is not watched, KeyboardInterrupt goes through."""
    monkeypatch.setattr(call_hooks, "_watchers", [])

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    subject = Subject(Implementation(name="f", forward=interrupted))
    with pytest.raises(KeyboardInterrupt):
        np.asarray(subject.forward(0, np.ones((2, 1), np.float32), True))
