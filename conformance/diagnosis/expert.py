"""The process that diagnoses one implementation, which a worker imports and calls."""

from __future__ import annotations

import os
import signal
import sys
import time
import warnings
from collections.abc import Mapping
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from typing import Any

from conformance.diagnosis.explanation import VERIFYING, Examined, examine
from conformance.diagnosis.verification import judge_again
from conformance.engine.garbage import collect_rarely
from conformance.engine.sandbox.confinement import die_with_parent
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.process_start import start_quickly
from conformance.engine.sandbox.worker_process import WorkerProcess
from conformance.properties.support.subject import Subject
from conformance.requirements.verdict import Verdict

_LOOKING = 0.6
"""The share of the patience after which no mistake is looked for, so that something is known."""


def serve(
    connection: Connection, *, name: str, strictly: bool, diagnose: bool, patience: int
) -> None:
    """Answer questions about an implementation until the connection is closed.

    Args:
        connection: Where the questions come from. {"explain": violations} is answered by the
            diagnosis, {"minimize": violations, "budget": ...} by the violations on smaller inputs.
            Before the first of them, what it is about to name is sent if it diagnoses.
        name: The implementation.
        strictly: Ignore declared deviations.
        diagnose: Whether it will be asked for a diagnosis, on which it begins to work at once.
        patience: Seconds after which there is no answer.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # left to the process that has started this one
    signal.signal(signal.SIGALRM, lambda *_: sys.exit("there is no answer in time"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("the answer is not needed"))
    die_with_parent()
    collect_rarely()
    warnings.simplefilter("ignore")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what goes wrong here is nothing for the user
    signal.alarm(patience)
    with closing(WorkerProcess(name, Limits(), strictly=strictly, start=start_quickly)) as worker:
        subject = Subject(worker.receive_declaration(), worker)
        until = time.time() + _LOOKING * patience
        examined = examine(subject, until) if diagnose else None
        signal.alarm(0)
        with suppress(EOFError, OSError):
            if examined is not None:
                connection.send(examined.likely())
            while True:
                question = connection.recv()
                signal.alarm(patience)
                answer = _answer(question, subject, examined)
                signal.alarm(0)
                connection.send(answer)


def _answer(question: Mapping[str, Any], subject: Subject, examined: Examined | None) -> Any:
    if "minimize" in question:
        again = judge_again(subject, _verdicts(question, "minimize"), question["budget"])
        return [verdict.to_json(internal=True) for verdict in again]
    assert examined is not None, "it was to be diagnosed"  # noqa: S101
    return examined.explain(_verdicts(question, "explain"), time.time() + VERIFYING)


def _verdicts(question: Mapping[str, Any], key: str) -> list[Verdict]:
    return [Verdict.from_json(each) for each in question[key]]
