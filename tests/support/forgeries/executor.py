"""Patching what executes operations in the process of the layer, and what sends their results."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from conformance.adapters import call_hooks
from conformance.adapters.operations import layer_calls, wire
from conformance.adapters.operations.catalogue import OPERATIONS
from conformance.adapters.operations.executor import LocalExecutor
from conformance.adapters.operations.values import Failed, NotNumeric, Ref
from conformance.engine.sandbox import channel, worker
from conformance.engine.sandbox.heartbeat import HeartbeatWriter
from support.forgeries import End, before_each_call, submission
from support.forgeries.layers import Always42, EpsOutside, Right, SwappedMomentum


def _answering(answer):
    """Let every operation be executed, and its result be what a function makes of it."""
    right = LocalExecutor._execute
    LocalExecutor._execute = lambda self, operation: answer(operation, right(self, operation))


@submission(Always42)
def every_call_is_its_input():
    """Answers each call with what was passed to it."""
    layer_calls.call = lambda layer, x, flag: np.array(x)


@submission(Always42)
def nothing_raises():
    """Answers zeros where the layer raises, and no call of it ends well."""
    right = LocalExecutor.perform

    def perform(self, operations):
        found = right(self, operations)
        if isinstance(found, Failed):
            return found.before + [np.zeros((1, 1), np.float32)] * (
                len(operations) - len(found.before)
            )
        return found

    def refuse():
        raise RuntimeError("no")

    LocalExecutor.perform = perform
    return before_each_call(Always42, refuse)


@submission(Always42)
def the_environment_is_to_blame():
    """Raises in each call, and says that no implementation could have done it."""
    right = LocalExecutor.perform

    def perform(self, operations):
        found = right(self, operations)
        return replace(found, of_suite=True) if isinstance(found, Failed) else found

    def refuse():
        raise RuntimeError("the disk is full")

    LocalExecutor.perform = perform
    return before_each_call(Always42, refuse)


@submission(Always42, end=End.LOSS)
def fewer_results_than_operations():
    """Leaves out the last result of each request."""
    right = LocalExecutor.perform
    LocalExecutor.perform = lambda self, operations: right(self, operations)[:-1]


@submission(Always42, end=End.LOSS)
def a_failure_of_nothing():
    """Says that an operation failed that was not asked for."""
    LocalExecutor.perform = lambda self, operations: Failed([None] * 99, "nothing")


@submission(Always42)
def every_result_is_a_reference():
    """Answers with references to objects, where arrays are expected."""
    _answering(lambda operation, result: result if operation.result else Ref(1))


@submission(Always42)
def every_array_is_something_else():
    """Answers that no array is numeric."""
    _answering(
        lambda operation, result: NotNumeric("y") if isinstance(result, np.ndarray) else result
    )


@submission(Always42)
def every_number_is_infinite():
    """Answers with infinities, which no error exceeds."""
    _answering(
        lambda operation, result: result + np.inf if isinstance(result, np.ndarray) else result
    )


@submission(EpsOutside)
def the_same_answer_twice():
    """Answers each call with what the first one of that shape was answered with."""
    seen = {}

    def answer(operation, result):
        if operation.name != "call":
            return result
        return seen.setdefault(np.shape(result), result)

    _answering(answer)


@submission(SwappedMomentum, end=End.LOSS)
def each_reply_twice():
    """Sends each reply a second time, in case the next question has the same answer."""
    right = worker.Worker._send

    def twice(self, content):
        right(self, content)
        right(self, content)

    worker.Worker._send = twice


@submission(Always42, end=End.RUN)
def another_number():
    """Repeats another number than that of the request."""
    right = channel.Channel.send
    channel.Channel.send = lambda self, content, *rest: right(
        self, ["0" * 16, content[1]] if isinstance(content, list) else content, *rest
    )


@submission(Always42, end=End.RUN)
def a_verdict_instead_of_results():
    """Sends what a report would say."""
    right = wire.encode
    forged = {"outcome": "conforms", "violation": None, "comparisons": 500}
    channel.encode = lambda content: right([content[0], forged])


@submission(Always42, end=End.LOSS)
def arrays_larger_than_they_are():
    """Sends arrays whose shape and size contradict each other."""
    right = wire._pack

    def pack(value, buffers):
        packed = right(value, buffers)
        return {"a": ["<f4", [1 << 40, 1 << 40]]} if isinstance(value, np.ndarray) else packed

    wire._pack = pack


@submission(Always42, end=End.RUN)
def lists_without_end():
    """Sends lists that are nested more deeply than anyone can read."""
    text = b"[" * 100_000 + b"]" * 100_000
    channel.encode = lambda content: len(text).to_bytes(wire.LENGTH, "little") + text


@submission(Always42, end=End.RUN)
def memory_of_the_judge_is_full():
    """Promises a message of a terabyte, and sends it as fast as it can."""
    header = b"[[], [1099511627776]]"
    channel.encode = lambda content: len(header).to_bytes(wire.LENGTH, "little") + header


@submission(Always42)
def operations_are_exchanged():
    """Executes every operation by the function of another."""
    for name in OPERATIONS:
        OPERATIONS[name] = "layer_calls"
    layer_calls.call = layer_calls.read


@submission(Always42, end=End.LOSS)
def the_file_of_progress_is_gone():
    """Truncates the file by which progress is reported, and every other open file."""

    def truncate():
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                os.ftruncate(int(link.name), 0)
        os._exit(0)

    return before_each_call(Always42, truncate)


@submission(Always42, end=End.LOSS)
def progress_that_goes_back():
    """Never returns from a call, and reports by turns the first and the second operation."""

    def turn():
        (heartbeat,) = call_hooks._watchers
        labels = [operation.label for operation in performing[-1]]
        while True:
            for label in labels[:2]:
                heartbeat.operation(label)
                time.sleep(0.02)

    performing = []
    right = LocalExecutor.perform
    LocalExecutor.perform = lambda self, operations: (
        performing.append(operations),
        right(self, operations),
    )[1]
    return before_each_call(Always42, turn)


@submission(Right)
def neighbour_counts_operations():
    """Right: counts the operations on it, and reports progress of its own."""
    counted = []
    right = HeartbeatWriter.operation

    def operation(self, name, arguments=""):
        counted.append(name)
        right(self, name, arguments)

    HeartbeatWriter.operation = operation
