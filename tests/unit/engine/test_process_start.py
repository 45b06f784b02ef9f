"""Workers are forked from one process, whose line is handed over; without it they are spawned."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.engine.sandbox import process_start
from conformance.engine.sandbox.confinement import IS_LINUX, command_of, environment
from conformance.engine.sandbox.heartbeat import HeartbeatReader
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.process_start import Started, fork, fork_by, line_for_another
from conformance.engine.sandbox.worker_process import WorkerProcess

pytestmark = pytest.mark.skipif(not IS_LINUX, reason="nothing is forked there")

LIMIT = 60.0


@pytest.fixture
def started() -> Iterator[Started]:
    """A worker that waits for its first request."""
    heartbeat = HeartbeatReader()
    with Path(os.devnull).open("wb") as errors:
        worker = fork(errors.fileno(), heartbeat.descriptor, "0123456789abcdef")
    yield worker
    heartbeat.close()
    for descriptor in (worker.reading, worker.writing):
        os.close(descriptor)


def parent_of(process: int) -> int:
    """Return the parent of a process."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def test_the_exit_code_of_a_fork_is_known(started: Started):
    """None as long as it lives, the signal that ended it afterwards, as often as one asks."""
    assert started.process.wait(0) is None
    os.kill(started.process.pid, signal.SIGTERM)
    assert [started.process.wait(LIMIT), started.process.wait(0)] == [-signal.SIGTERM] * 2


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_fork_has_its_mark_and_no_line(started: Started):
    """By the mark all that it starts is found; it cannot reach the process that is forked."""
    folder = Path(f"/proc/{started.process.pid}")
    wait_for(lambda: b"CONFORMANCE_WORKER=0123456789abcdef" in (folder / "environ").read_bytes())
    links = (folder / "fd").iterdir
    wait_for(lambda: not any(str(link.readlink()).startswith("socket:") for link in links()))


def test_one_process_is_forked_for_all_that_have_a_line():
    """Also for another process of the suite, and for as long as any has one."""
    other = WorkerProcess("impl", Limits(), start=fork)
    line = process_start._LINE.get()
    try:
        with line_for_another() as handed:
            fork_by(handed)
            worker = WorkerProcess("impl", Limits(), start=fork)
            assert worker.receive_declaration().name == "impl"
            assert parent_of(worker._process.pid) == parent_of(other._process.pid)
            worker.close()
    finally:
        fork_by(line)
        other.close()


def test_without_a_process_to_fork_a_worker_is_spawned():
    """What keeps frameworks from being imported is said by a new interpreter, as always."""
    line = process_start._LINE.get()
    ours, theirs = process_start._packets()
    theirs.close()
    try:
        fork_by(ours)
        worker = WorkerProcess("impl", Limits(), start=fork)
        assert parent_of(worker._process.pid) == os.getpid()
        worker.close()
    finally:
        fork_by(line)
        ours.close()


def test_it_ends_with_the_last_line():
    """It does not outlive a process that is killed."""
    ours, theirs = process_start._packets()
    command = command_of("conformance.engine.sandbox.fork_server")
    process = subprocess.Popen(
        [*command, str(theirs.fileno())],
        pass_fds=(theirs.fileno(),),
        env=environment("0" * 16),
        stderr=sys.stderr,
    )
    theirs.close()
    ours.close()
    assert process.wait(LIMIT) == 0
