"""Ending, forking and debugging processes, its own and that of the judge."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from support.forgeries import End, before_each_call, submission
from support.forgeries.layers import Always42, EpsOutside, Right
from support.forgeries.parents import judging_process, overwrite, poke
from support.forgeries.suite import disarm_checks

_LONGEST = 90
"""Seconds after which a process that is left behind ends; no run may wait for it."""


@submission(Always42, end=End.LOSS)
def leaves():
    """Ends its process with exit code 0 in the first call."""
    return before_each_call(Always42, lambda: os._exit(0))


@submission(Always42, end=End.LOSS)
def leaves_after_a_while():
    """A thread ends the process with exit code 0 while the suite compares."""

    def leave():
        time.sleep(0.05)
        os._exit(0)

    return before_each_call(Always42, lambda: threading.Thread(target=leave).start())


@submission(Always42, end=End.LOSS)
def a_child_takes_over():
    """Forks in a call: the child goes on, with a suite that finds nothing."""
    forked = []

    def fork():
        if forked:
            return
        forked.append(1)
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            os._exit(0)
        signal.alarm(_LONGEST)
        disarm_checks()

    return before_each_call(Always42, fork)


@submission(Always42, end=End.LOSS)
def a_child_stays_behind():
    """Forks in a call: the parent is gone, the child goes on and keeps the pipes open."""

    def fork():
        if os.fork():
            os._exit(0)
        signal.alarm(_LONGEST)
        disarm_checks()

    return before_each_call(Always42, fork)


@submission(Always42, end=End.LOSS)
def becomes_another_program():
    """Replaces its process by a program that ends well, and says so."""

    def replace():
        words = ["echo", '{"result": null, "refusal": "", "raised": "", "effects": []}']
        os.execvp(words[0], words)

    return before_each_call(Always42, replace)


@submission(Always42, end=End.RUN)
def kills_the_judge():
    """Kills the process that judges."""
    parent = judging_process()
    return before_each_call(Always42, lambda: os.kill(parent, signal.SIGKILL))


@submission(Always42, end=End.RUN)
def ends_the_judge_politely():
    """Ends the process that judges as a user would."""
    parent = judging_process()
    return before_each_call(Always42, lambda: os.kill(parent, signal.SIGTERM))


@submission(Always42)
def stops_the_judge():
    """Stops the process that judges, and lets it go on after a second."""
    parent = judging_process()

    def stop():
        subprocess.Popen(["sh", "-c", f"kill -STOP {parent}; sleep 1; kill -CONT {parent}"])

    calls = []
    return before_each_call(Always42, lambda: calls or (calls.append(1), stop()))


@submission(EpsOutside)
def memory_of_the_judge():
    """Writes conforms over violates in the memory of the process that judges."""
    parent = judging_process()
    with contextlib.suppress(OSError):
        overwrite(parent, b"violates", b"conforms")


@submission(Always42)
def debugger_of_the_judge():
    """Does the same as a debugger."""
    parent = judging_process()
    with contextlib.suppress(OSError):
        poke(parent, b"violates", b"conforms")


@submission(Always42, end=End.RUN)
def limits_of_the_judge():
    """Lets the process that judges write no file, so that there is no report."""
    with contextlib.suppress(OSError):
        resource.prlimit(judging_process(), resource.RLIMIT_FSIZE, (0, 0))


def forge_report(path: Path) -> None:
    """Rewrite a report so that all in it conforms."""
    data = json.loads(path.read_text("utf-8"))
    for verdict in data["verdicts"]:
        verdict.update(outcome="conforms", violation=None)
    data["footer"]["exit_code"] = 0
    draft = path.with_name("forged.json")
    draft.write_text(json.dumps(data), "utf-8")
    draft.replace(path)


@submission(Always42)
def a_process_that_outlives_the_run():
    """Leaves a process behind that rewrites the report as soon as there is one, for 20 s."""
    report = Path("report.json").resolve()
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.alarm(20)
    os.closerange(0, 256)  # whoever waits for the end of these must not wait for it
    while not report.exists():
        time.sleep(0.005)
    for _ in range(100):
        with contextlib.suppress(OSError, ValueError):
            forge_report(report)
        time.sleep(0.01)
    os._exit(0)


@submission(Always42)
def signals_are_ignored():
    """Handles every signal that there is by a function that does nothing."""
    for number in signal.valid_signals():
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, lambda *_: None)
    return before_each_call(Always42, lambda: signal.alarm(1))


@submission(Right)
def neighbour_starts_processes():
    """Right: runs a program, forks a child that ends, and has a pool that is never closed."""
    subprocess.run([sys.executable, "-c", "print('spam')"], check=True)
    child = os.fork()
    if not child:
        os._exit(3)
    os.waitpid(child, 0)
    multiprocessing.get_context("spawn")


@submission(Right)
def neighbour_handles_signals():
    """Right: has handlers of its own, threads that never end, and limits for itself."""
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
