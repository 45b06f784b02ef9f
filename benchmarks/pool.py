"""Tasks on a few processes, which may fail, loop or die without taking the others along."""

from __future__ import annotations

import multiprocessing
import queue
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

_RENEWED_AFTER = 60
"""Answers of one process; JAX keeps every program that it has compiled."""

_spawn = multiprocessing.get_context("spawn")  # a forked JAX hangs

TIME_LIMIT, CRASH = "time limit", "crash"

Task = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function that can be imported, and its arguments."""


@dataclass(frozen=True)
class Answer:
    """What a task returned, or why there is nothing: the time limit, a crash, or the error."""

    value: Any = None
    lost: str = ""
    seconds: float = 0.0

    def unwrap(self) -> Any:
        """Return the value.

        Raises:
            RuntimeError: there is none.
        """
        if self.lost:
            raise RuntimeError(self.lost)
        return self.value


def prepare() -> None:
    """Get a process ready to judge; call this before anything imports JAX."""
    from conformance.engine.jax_runtime import offer_host_devices, remember_compilations

    warnings.simplefilter("ignore")
    remember_compilations()
    offer_host_devices()


def _serve(connection: Connection) -> None:
    while True:
        function, arguments = connection.recv()
        try:
            answer = Answer(function(*arguments))
        except Exception as error:  # noqa: BLE001  must not be mistaken for a crash
            answer = Answer(lost=f"{type(error).__name__}: {error}")
        connection.send(answer)


class _Server:
    """One process, started anew when it has looped, died, or answered often enough."""

    def __init__(self) -> None:
        self._process: Any = None
        self._connection: Any = None
        self._answers = 0

    def ask(self, task: Task, limit: float | None) -> Answer:
        """Return the answer; a process that loops is killed after ``limit`` seconds."""
        if self._process is None or self._answers >= _RENEWED_AFTER:
            self.stop()
            self._start()
        started = time.perf_counter()
        self._connection.send(task)
        try:
            if self._connection.poll(limit):
                answer = self._connection.recv()
                self._answers += 1
            else:
                self.stop()
                answer = Answer(lost=TIME_LIMIT)
        except (EOFError, ConnectionError):
            self.stop()
            answer = Answer(lost=CRASH)
        return Answer(answer.value, answer.lost, round(time.perf_counter() - started, 2))

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
    tasks: Iterable[tuple[Any, Task]], jobs: int, limit: float | None = None
) -> Iterator[tuple[Any, Answer]]:
    """Yield (key, answer) for each (key, task), as they come in."""
    waiting: queue.SimpleQueue[tuple[Any, Task]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[Any, Answer]] = queue.SimpleQueue()
    count = 0
    for item in tasks:
        waiting.put(item)
        count += 1

    def work() -> None:
        server = _Server()
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
