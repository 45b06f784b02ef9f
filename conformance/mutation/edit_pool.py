"""Judges a layer and its edits in a few worker processes at a time."""

from __future__ import annotations

import queue
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

from conformance.engine.sandbox.limits import Limits
from conformance.mutation.edit_worker import ROWS, EditWorker
from conformance.mutation.mutants import Mutant, mutants_of
from conformance.mutation.results import JudgedEdit, Original


class EditPool:
    """Judges the edits of one layer.

    Args:
        name: The layer, as the user typed it.
        jobs: How many processes work at a time.
        limits: What each may use.

    Attributes:
        original: The layer as it is.
    """

    def __init__(self, name: str, jobs: int, limits: Limits) -> None:
        self.original = Original()
        self._workers = [EditWorker(name, limits) for _ in range(jobs)]
        self._idle: queue.SimpleQueue[EditWorker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(jobs)  # they outlive the processes that they start

    def list_edits(self) -> list[Mutant]:
        """Return all edits, in the order of the source.

        Raises:
            AdapterError: The layer or its source cannot be found.
        """
        found = self.original = self._workers[0].find_source()
        return mutants_of(found.text, found.definitions, file=found.file, prefix="edit")

    def judge_original(self) -> None:
        """Judge the layer as it is by all requirements, which are dealt among the processes.

        Raises:
            AdapterError: It cannot be judged.
            WorkerLost: It ends the process.
        """
        parts = [ROWS[at :: len(self._workers)] for at in range(len(self._workers))]
        found = list(self._each(EditWorker.judge_original, self.original, parts))
        self.original = replace(
            found[0],
            outcomes={row: end for part in found for row, end in part.outcomes.items()},
            executed=frozenset().union(*(part.executed for part in found)),
        )

    def judge(self, edits: Sequence[Mutant]) -> Iterator[JudgedEdit]:
        """Yield what becomes of each edit, as soon as it is known."""
        yield from self._each(EditWorker.judge, self.original, edits)

    def _each(
        self,
        act: Callable[[EditWorker, Original, Any], Any],
        original: Original,
        tasks: Sequence[Any],
    ) -> Iterator[Any]:
        def run(task: Any) -> Any:
            worker = self._idle.get()
            try:
                return act(worker, original, task)
            finally:
                self._idle.put(worker)

        for done in as_completed([self._threads.submit(run, task) for task in tasks]):
            yield done.result()

    def close(self) -> None:
        """End all processes, whatever they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.close()


def draw_sample(edits: Sequence[Mutant], limit: int | None, seed: int) -> list[Mutant]:
    """Return the edits to judge, in their order.

    Args:
        edits: All edits.
        limit: How many to draw; None for all.
        seed: Which ones are drawn.
    """
    if limit is None or limit >= len(edits):
        return list(edits)
    chosen = random.Random(seed).sample(range(len(edits)), limit)  # noqa: S311  no secret
    return [edits[place] for place in sorted(chosen)]
