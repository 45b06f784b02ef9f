"""One process of a pool: judges what it is asked, and prepares for the next task in between."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Sequence
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from conformance.adapters.errors import AdapterError
from conformance.engine.budget import Clock, budget, clock_of
from conformance.engine.environments import split_place
from conformance.engine.garbage import collect_rarely
from conformance.engine.sandbox.confinement import die_with_parent
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.process_start import start_quickly
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.engine.sandbox.waiting import RunCancelled
from conformance.engine.sandbox.worker_lost import WorkerLost
from conformance.engine.sandbox.worker_process import WorkerProcess
from conformance.engine.tasks import PREPARE, Refused, Task, judge_turn

_REFERENCE = "impl"
"""The implementation that warms up a worker: its programs are those that most layers need."""

_WARMING_CASES = 20
"""Cases per property, by which a worker is warmed up: they have nearly all shapes."""


def serve(connection: Connection, stop: Path) -> None:
    """Judge until the connection is closed.

    Args:
        connection: Where a task and the size of the pool, turns of it, and None at its end come
            from, or ``PREPARE``. Each turn is answered by ``Judged`` or ``Refused``, or by None if
            the task is cancelled.
        stop: A file whose existence cancels the task.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # left to the process that has started this one
    die_with_parent()
    warnings.simplefilter("ignore")
    collect_rarely()
    with closing(Preparation(connection)) as preparation, suppress(EOFError, OSError):
        while True:
            message = connection.recv()
            if message == PREPARE:
                preparation.warm_up()
                continue
            task, size = message
            clock = clock_of(task.ends, (requirement for requirement, _ in task.pairs), size)
            _serve_task(connection, task, clock, stop, preparation)


def _serve_task(
    connection: Connection,
    task: Task,
    clock: Clock | None,
    stop: Path,
    preparation: Preparation,
) -> None:
    make = preparation.make_worker
    options: dict[str, Any] = {
        "strictly": task.strictly,
        "stop": stop,
        "make_worker": make,
        "on_wait": connection.send,
    }
    judged: list[str] = []
    with closing(Supervisor(task.budget, task.limits, **options)) as supervisor:
        while (turn := connection.recv()) is not None:
            try:
                if not judged and (refusal := supervisor.refusal_of_all(task.implementations)):
                    connection.send(Refused(refusal))
                    continue
                judged.append(turn.pair[0])
                connection.send(judge_turn(supervisor, turn, task, clock))
            except RunCancelled:
                connection.send(None)
    preparation.requirements = list(dict.fromkeys(judged)) or preparation.requirements


class Preparation:
    """The worker for the next task, which is warmed up by the reference.

    Args:
        connection: Warming up ends as soon as something comes from there.

    Attributes:
        requirements: The ids by which it is warmed up: those that this process judged last.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._worker: WorkerProcess | None = None
        self.requirements: Sequence[str] = ()

    def warm_up(self) -> None:
        """Judge the reference, until something else is to be judged."""
        self.close()
        worker = WorkerProcess(_REFERENCE, Limits(), start=start_quickly)
        supervisor = Supervisor(
            budget(max_examples=_WARMING_CASES), make_worker=lambda *_, **__: worker
        )
        try:
            supervisor.refusal(_REFERENCE)  # it takes the first answer, whatever comes then
            for requirement in self.requirements:
                if self._connection.poll():
                    break
                supervisor.judge(requirement, _REFERENCE)
        except (WorkerLost, AdapterError):
            worker.close()
        else:
            self._worker = worker

    def make_worker(
        self, name: str, limits: Limits, *, strictly: bool, stop: Path | None
    ) -> WorkerProcess:
        """Return the worker of an implementation: the warm one, the first time."""
        options: dict[str, Any] = {"strictly": strictly, "stop": stop, "start": start_quickly}
        if split_place(name).environment:
            return WorkerProcess(name, limits, **options)
        worker, self._worker = self._worker, None
        if worker is None or worker.is_lost:
            return WorkerProcess(name, limits, **options)
        worker.turn_to(name, limits, strictly=strictly, stop=stop)
        return worker

    def close(self) -> None:
        """End the worker that is warm."""
        if self._worker is not None:
            self._worker.close()
            self._worker = None
