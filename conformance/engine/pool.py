"""Standing processes that judge: each has imported everything, and forks the workers it needs.

The processes are warm, and what they judge is not: a worker has never seen an earlier
implementation, nor an earlier version of the same file. This module imports nothing that judges.
"""

from __future__ import annotations

import tempfile
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from socket import socket
from typing import Any

from conformance.adapters.errors import AdapterError
from conformance.engine.sandbox.process_start import (
    fork_by,
    line_for_another,
    process_context,
    start_process,
)
from conformance.engine.sandbox.waiting import LongWait
from conformance.engine.scheduling import deal, group_by_programs
from conformance.engine.tasks import PREPARE, Judged, Pair, Refused, Task, Turn
from conformance.requirements import REQUIREMENTS
from conformance.requirements.verdict import Outcome, Verdict

_END_LIMIT = 2.0
"""Seconds in which a process that judges may end by itself."""

_POLL_INTERVAL = 0.05
"""Seconds between two questions whether to go on."""


_MOST_LOSSES = 4
"""How often a process may be lost in one task before no other takes its place."""


class _Member:
    """One process that judges, and what it is to judge next."""

    def __init__(self, stop: Path) -> None:
        self._stop = stop
        self.queue: deque[Turn] = deque()
        self.current: Turn | None = None
        self.losses = 0
        self._start()

    def _start(self) -> None:
        context = process_context("conformance.engine.pool_member")
        self.connection, theirs = context.Pipe()
        with line_for_another() as line:
            self._process: Any = context.Process(target=_serve, args=(theirs, self._stop, line))
            start_process(self._process)
        theirs.close()

    @property
    def is_alive(self) -> bool:
        return bool(self._process.is_alive())

    def restart(self) -> None:
        """Start a new process in the place of one that is lost."""
        self.close()
        self._start()

    def close(self) -> None:
        self.connection.close()
        self._process.join(_END_LIMIT)
        self._process.kill()


def _serve(connection: Connection, stop: Path, line: socket | None) -> None:
    from conformance.engine.pool_member import serve  # noqa: PLC0415  imports all that judges

    fork_by(line)
    serve(connection, stop)


class JudgePool:
    """Processes that judge one task after another; a context manager.

    Args:
        size: How many.

    Attributes:
        shares_cores: Whether one of several is idle, for another process to have its core.
    """

    def __init__(self, size: int) -> None:
        self._stop = Path(tempfile.gettempdir()) / f"conformance-stop-{uuid.uuid4().hex}"
        self._members = [_Member(self._stop) for _ in range(size)]
        self.shares_cores = False

    def __enter__(self) -> JudgePool:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()
        for member in self._members:
            member.close()
        self._stop.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._members)

    def cancel(self) -> None:
        """End the task: pairs that are not judged yet get no verdict."""
        self._stop.touch()

    def prepare(self) -> None:
        """Let each process load the programs that most layers need, for the next task.

        That takes seconds, in which somebody edits the layer; a task ends it.
        """
        for member in self._members:
            with suppress(OSError):
                member.connection.send(PREPARE)

    def judge(
        self,
        task: Task,
        goes_on: Callable[[], bool] = lambda: True,
        on_wait: Callable[[LongWait], None] = lambda _: None,
    ) -> Generator[Judged]:
        """Judge pairs; yield what is found as soon as it is, in any order.

        Args:
            task: What to judge.
            goes_on: Is asked all the time; if it returns False, the task is cancelled.
            on_wait: Receives what a worker has been doing for seconds, again and again.

        Raises:
            AdapterError: None of the implementations can be judged.
        """
        self._begin(task)
        try:
            while busy := [member for member in self._members if member.current is not None]:
                ready = wait([member.connection for member in busy], _POLL_INTERVAL)
                for member in busy:
                    if member.connection in ready:
                        yield from self._receive(member, task, on_wait)
                if not goes_on():
                    self.cancel()
        finally:
            self._finish()

    def _begin(self, task: Task) -> None:
        self._stop.unlink(missing_ok=True)
        for member in self._members:
            member.losses = 0
            if not member.is_alive:
                member.restart()
        parts = deal(task.turns(), len(self._members), lambda turn: group_by_programs(turn.pair[0]))
        for member, part in zip(self._members, parts, strict=True):
            member.queue.extend(part)
            member.connection.send((task, len(self._members)))
        self._hand_out()

    def _hand_out(self) -> None:
        """Let each idle process judge the next of its turns, or the last of another's."""
        idle = self.shares_cores and any(each.is_alive for each in self._members[1:])
        for member in self._members[idle:]:
            queue = member.queue or max((m.queue for m in self._members), key=len)
            if member.current is None and queue and member.is_alive and not self._stop.exists():
                member.current = queue.popleft() if queue is member.queue else queue.pop()
                with suppress(OSError):  # it has just ended, as receiving will show
                    member.connection.send(member.current)

    def _receive(
        self, member: _Member, task: Task, on_wait: Callable[[LongWait], None]
    ) -> Iterator[Judged]:
        assert member.current is not None, "it was waited for"  # noqa: S101
        turn, member.current = member.current, None
        try:
            found: Judged | Refused | LongWait | None = member.connection.recv()
        except (EOFError, OSError):
            found = Judged(verdict=_lost(turn.pair))
            member.losses += 1
            if member.losses < _MOST_LOSSES:
                member.restart()
                member.connection.send((task, len(self._members)))
        if isinstance(found, LongWait):
            member.current = turn
            on_wait(found)
            return
        if found is None:
            return  # the task was cancelled
        if isinstance(found, Refused):
            raise AdapterError(found.reason)
        if turn.glance and not found.glance:
            self._drop(Turn(turn.pair))
        yield found  # whoever takes it may cancel the task
        self._hand_out()

    def _drop(self, turn: Turn) -> None:
        """Judge no more what is known: a violation, or the verdict by all cases."""
        for member in self._members:
            with suppress(ValueError):
                member.queue.remove(turn)

    def _finish(self) -> None:
        """Wait until nothing is judged any more."""
        self.cancel()
        for member in self._members:
            member.queue.clear()
            try:
                while member.current is not None and isinstance(member.connection.recv(), LongWait):
                    pass
                member.connection.send(None)
            except (EOFError, OSError):
                pass  # it is replaced before the next task
            member.current = None


def _lost(pair: Pair) -> Verdict:
    return Verdict(
        requirement=pair[0],
        implementation=pair[1],
        kind="",
        outcome=Outcome.ERRORED,
        level=REQUIREMENTS[pair[0]].level,
        detail="the process that judged it ended",
    )
