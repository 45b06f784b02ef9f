"""The request that a worker has not answered, and how far the worker says that it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conformance.adapters.operations.values import Operation
from conformance.engine.sandbox.heartbeat import Heartbeat, HeartbeatReader
from conformance.engine.sandbox.messages import place_of
from conformance.engine.sandbox.waiting import LongWait, Waiting

_START_LIMIT = 300.0
"""Seconds that the interpreter and the frameworks may take to start: no implementation's fault."""

_MOST = 10
"""How many times the limit of a call the answer to a request that a function handles may take."""


@dataclass(slots=True)
class PendingRequest:
    """What a worker was asked last, beside what it reports.

    Attributes:
        heartbeat: What the worker reports.
        number: The random number of the request.
        operations: The operations of the request; empty if a function handles it.
    """

    heartbeat: HeartbeatReader
    number: str = ""
    operations: Sequence[Operation] = ()

    @property
    def place(self) -> int:
        """The place of the operation that was begun last."""
        place = place_of(self.heartbeat.read().operation, self.number)
        return max(0, min(place, len(self.operations) - 1))

    @property
    def doing(self) -> Heartbeat:
        """What the worker was doing last."""
        if not self.operations:
            return self.heartbeat.read()
        operation = self.operations[self.place]
        return Heartbeat(operation.label, operation.detail)

    @property
    def progress(self) -> int:
        """A number that grows with each operation of a request; else any other number."""
        return self.place if self.operations else self.heartbeat.count

    def describe(self, waiting: Waiting) -> LongWait:
        """Return what is waited for, for a reader."""
        arrays = [
            getattr(argument, "value", argument)
            for operation in self.operations[: self.place + 1]
            for argument in operation.arguments
        ]
        shapes = [array.shape for array in arrays if isinstance(array, np.ndarray)]
        return LongWait(
            seconds=self._silence(waiting),
            phase=self.heartbeat.read().phase if self.operations else "",
            operation=self.doing.operation,
            shape=max(shapes, key=math.prod, default=()),
        )

    def is_overdue(self, waiting: Waiting, limit: float) -> bool:
        """Return whether the answer, or the next operation, takes too long.

        Args:
            waiting: How long it has taken.
            limit: Seconds that a call may take.
        """
        if not self.operations and waiting.total >= max(_START_LIMIT, _MOST * limit):
            return True
        silence = self._silence(waiting)
        return silence >= limit and silence >= (limit if self.doing.operation else _START_LIMIT)

    def _silence(self, waiting: Waiting) -> float:
        return waiting.by_place if self.operations else waiting.by_count
