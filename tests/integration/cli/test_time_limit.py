"""``--max-time`` ends a run whatever the layer does, and what takes long is named."""

from __future__ import annotations

import json
import time

import pytest
from support.hostile_runs import conformance

from conformance.engine.sandbox.heartbeat import PHASES, HeartbeatReader, HeartbeatWriter
from conformance.engine.sandbox.waiting import LongWait
from conformance.frontends.cli.console import console_of
from conformance.frontends.progress import ProgressDisplay
from conformance.report.summary import summarize
from conformance.report.terminal import answer_line
from conformance.requirements import Level
from conformance.requirements.verdict import Outcome, Verdict


def test_a_layer_that_hangs_is_given_up_and_the_rest_is_reported(tmp_path):
    """The call timeout of two minutes does not count: the run ends, with every verdict, code 2."""
    started = time.monotonic()
    done = conformance(
        "run", "support.hostile.hanging:in_python", "-j1", "-k", "EVAL-1,EMA-1", "--max-time=1",
        "--report=report.json", cwd=tmp_path,
    )  # fmt: skip
    assert time.monotonic() - started < 60
    assert done.returncode == 2
    assert "of 2 requirements 2 could not be judged, 0 conform." in done.stdout
    assert "s …" in done.stderr  # after five seconds, on standard error
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["footer"]["complete"]
    assert {v["outcome"] for v in report["verdicts"]} == {"errored"}
    assert all("the time was up (--max-time)" in v["detail"] for v in report["verdicts"])


WAIT = LongWait(seconds=24.2, phase="compiling", operation="the call", shape=(65537, 4))


def test_a_wait_is_one_line():
    """It names what is done, the requirement, the size and how long it has lasted."""
    named = WAIT.about("BN-LARGE-1", "layer")
    assert named.sentence() == "compiling BN-LARGE-1, 65,537 × 4, 24 s"
    starting = LongWait(seconds=3, phase="", operation="importing it")
    assert starting.sentence() == "importing it, 3 s"


def test_waits_are_printed_ever_more_rarely(capsys):
    """After 5, 10, 20 and 40 seconds, again for the next call of the same requirement."""
    display = ProgressDisplay(None, console_of(color=False))
    for seconds in (*range(2, 45), *range(2, 12)):
        display.wait(LongWait(seconds=seconds, phase="calling", operation="", requirement="BN-X-1"))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[1] for line in lines] == [
        f"{seconds} s …" for seconds in (5, 10, 20, 40, 5, 10)
    ]


def test_a_phase_is_no_progress():
    """It is for readers: a layer that reports phases all the time is not waited for longer."""
    reader = HeartbeatReader()
    writer = HeartbeatWriter(reader.descriptor)
    writer.operation("the call")
    before = reader.count
    writer.phase(3)
    assert (reader.count, reader.read().phase) == (before, PHASES[3])
    writer.operation("the next call")
    assert reader.read().phase == "calling"
    reader.close()


@pytest.mark.parametrize(
    ("outcomes", "answer"),
    [
        ("ce", "x: of 2 requirements 1 could not be judged, 1 conform."),
        ("ve", "x: fails 1 of 2 requirements (1 MUST), 1 could not be judged."),
    ],
)
def test_what_could_not_be_judged_is_not_counted_as_failed(outcomes, answer):
    """The first line counts it apart."""
    kinds = {"c": Outcome.CONFORMS, "e": Outcome.ERRORED, "v": Outcome.VIOLATES}
    verdicts = [
        Verdict(
            requirement="BN-EMA-1",
            implementation="x",
            kind="",
            outcome=kinds[letter],
            level=Level.MUST,
        )
        for letter in outcomes
    ]
    assert answer_line("x", summarize(verdicts)) == answer
