"""Ctrl-C and SIGTERM: a run keeps what it has; and an interrupt is not taken for a violation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import jsonschema
import pytest
from hostile_runs import TESTS

from conformance import progress
from conformance.report.model import SCHEMA
from conformance.subject import calling


@pytest.mark.parametrize(
    ("number", "jobs"),
    [(signal.SIGINT, "2"), (signal.SIGTERM, "1")],
    ids=["Ctrl-C, two workers", "SIGTERM, one process"],
)
def test_an_interrupted_run_keeps_what_it_has(number, jobs, tmp_path):
    """The report is valid and marked incomplete, names what is missing, and no process stays."""
    report = tmp_path / "report.json"
    environment = os.environ | {"PYTHONPATH": f"{TESTS}{os.pathsep}{os.environ.get('PYTHONPATH')}"}
    command = [sys.executable, "-m", "conformance", "run", "hostile.hanging:in_python"]
    running = subprocess.Popen(
        [*command, "-k", "EVAL", "-j", jobs, "--report", str(report)],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    time.sleep(6)
    running.send_signal(number)
    said, _ = running.communicate(timeout=60)

    assert running.returncode == 128 + number, said
    assert "Traceback" not in said
    assert "Incomplete: " in said
    data = json.loads(report.read_text(encoding="utf-8"))
    jsonschema.validate(data, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert not data["footer"]["complete"]
    assert "BN-EVAL-1[hostile.hanging:in_python]" in data["footer"]["missing"]


def test_an_interrupt_of_the_user_is_no_violation(monkeypatch):
    """In a process that is not watched, KeyboardInterrupt goes through."""
    monkeypatch.setattr(progress, "_watchers", [])
    with pytest.raises(KeyboardInterrupt), calling("the call"):
        raise KeyboardInterrupt
