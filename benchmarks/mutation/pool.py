"""Tasks on processes that may loop or die: each answer has a time limit."""

from __future__ import annotations

import multiprocessing
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any

_RENEWED_AFTER = 60
"""Answers of one process; JAX keeps what it compiled for every mutant that ever ran."""

_spawn = multiprocessing.get_context("spawn")  # a forked JAX hangs

Result = dict[str, Any]
Task = tuple[Callable[..., Result], tuple[Any, ...]]
"""A function that can be imported, and its arguments."""


def _serve(connection: Connection) -> None:
    while True:
        function, arguments = connection.recv()
        try:
            answer = function(*arguments)
        except Exception as error:  # noqa: BLE001  must not be taken for the mutant's end
            answer = {"outcome": "harness error", "detail": f"{type(error).__name__}: {error}"}
        connection.send(answer)


class Server:
    """One process, started anew when it has looped, died, or answered often enough."""

    def __init__(self) -> None:
        self._process: Any = None
        self._connection: Any = None
        self._answers = 0

    def ask(self, task: Task, limit: float) -> Result:
        """Return the answer; what loops or takes the process down is killed by that."""
        if self._process is None or self._answers >= _RENEWED_AFTER:
            self.stop()
            self._start()
        started = time.perf_counter()
        self._connection.send(task)
        try:
            if self._connection.poll(limit):
                answer: Result = self._connection.recv()
                self._answers += 1
            else:
                self.stop()
                answer = {"outcome": "killed", "by": "time limit"}
        except (EOFError, ConnectionError):
            self.stop()
            answer = {"outcome": "killed", "by": "crash"}
        return {**answer, "seconds": round(time.perf_counter() - started, 2)}

    def _start(self) -> None:
        self._connection, theirs = _spawn.Pipe()
        self._process = _spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._answers = 0

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None


def answers(
    tasks: Iterable[tuple[Any, Task]], jobs: int, limit: float
) -> Iterator[tuple[Any, Result]]:
    """Yield (key, answer) for each (key, task), as they come in."""
    waiting: queue.SimpleQueue[tuple[Any, Task]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Any, Result]] = queue.SimpleQueue()
    count = 0
    for item in tasks:
        waiting.put(item)
        count += 1

    def work() -> None:
        server = Server()
        while True:
            try:
                key, task = waiting.get_nowait()
            except queue.Empty:
                server.stop()
                return
            done.put((key, server.ask(task, limit)))

    for _ in range(min(jobs, count)):
        threading.Thread(target=work, daemon=True).start()
    for _ in range(count):
        yield done.get()
