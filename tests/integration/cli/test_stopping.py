"""A run with -x: the violation at once, and an end soon after it."""

from __future__ import annotations

import re
import threading
import time

import pytest
from support.command_line import conformance

from conformance.engine.budget import budget
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.engine.sandbox.waiting import RunCancelled


def test_the_violation_is_printed_once_and_before_the_table(tmp_path):
    """What ends the run comes first; the rest of the report follows without it."""
    done = conformance(
        "run",
        "fault:eps-outside",
        "-v",
        "-x",
        "--no-diagnosis",
        "--max-examples",
        "5",
        cwd=tmp_path,
    )

    assert done.returncode == 1
    printed = re.findall(r"^✗ (BN-\S+)", done.stdout, re.MULTILINE)
    assert len(printed) == len(set(printed)) >= 1
    assert done.stdout.index(f"✗ {printed[0]}") < done.stdout.index("family")
    assert done.stdout.count("default profile") == 1
    assert "Incomplete: " in done.stdout
    assert "errored" not in done.stdout


def test_a_violated_should_does_not_end_the_run(tmp_path):
    """A run with -x prints a violated SHOULD at once, and goes on."""
    done = conformance(
        *("run", "fault:statistics-carry-gradient", "-vx", "-k", "GRAD-8,EMA-1", "-j", "1"),
        *("--no-diagnosis", "--max-examples", "30"),
        cwd=tmp_path,
    )

    assert done.returncode == 0
    assert done.stdout.index("! BN-GRAD-8") < done.stdout.index("family")
    assert done.stdout.count("! BN-GRAD-8") == 1
    assert "2 judgements" in done.stdout


def test_a_process_is_ended_while_it_is_waited_for(tmp_path):
    """Once the file exists, the run does not wait for judgements in progress."""
    stop = tmp_path / "stop"
    supervisor = Supervisor(budget(), Limits(), stop=stop)
    try:
        assert supervisor.refusal("impl") is None
        timer = threading.Timer(0.2, stop.touch)
        timer.start()
        started = time.monotonic()
        with pytest.raises(RunCancelled):
            supervisor.judge("BN-SEQ-1", "impl")
        assert time.monotonic() - started < 30
        timer.join()
    finally:
        supervisor.close()
