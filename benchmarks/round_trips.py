"""What it costs that verdicts are reached in another process than the layer's.

Judges the reference once, in the default profile, and prints how many requests and operations
travelled, the CPU seconds and the peak memory of both processes; then the CPU microseconds of one
request for a few kinds of operations, beside the same operations in one process.

Usage: python benchmarks/round_trips.py [IMPLEMENTATION]
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapters.operations.executor import Executor, LocalExecutor
from conformance.adapters.operations.values import Given, Operation, Ref
from conformance.adapters.resolve import resolve
from conformance.engine.budget import budget
from conformance.engine.sandbox.limits import Limits
from conformance.engine.sandbox.supervisor import Supervisor
from conformance.engine.sandbox.worker_process import WorkerProcess
from conformance.requirements import REQUIREMENTS, select

_REPEATS = 2000
_X = np.ones((5, 4), np.float32)
_STATE = {n: np.ones(4, np.float32) for n in ("gamma", "beta", "running_mean", "running_var")}
_BUILD = Operation("build", (4, 0.9, 1e-5, 0), 1)
_REQUESTS = {
    "an empty reread": [Operation("reread", ([],))],
    "read": [Operation("read", (Ref(1),))],
    "call": [Operation("call", (Ref(1), _X, True))],
    "build, write, put, read, call": [
        _BUILD,
        Operation("write", (Ref(1), _STATE)),
        Operation("put", (Given(_X, "np.copy"),), 2),
        Operation("read", (Ref(1),)),
        Operation("call", (Ref(1), Ref(2), False)),
    ],
}


def judge(name: str) -> None:
    """Judge every requirement, and print what travelled and what it cost."""
    sent: list[int] = []
    perform = WorkerProcess.perform

    def count(worker: WorkerProcess, operations: Sequence[Operation]) -> Any:
        sent.append(len(operations))
        return perform(worker, operations)

    WorkerProcess.perform = count  # type: ignore[method-assign]
    supervisor = Supervisor(budget())
    for requirement in [row.id for row in select(REQUIREMENTS)]:
        supervisor.judge(requirement, name)
    supervisor.close()
    WorkerProcess.perform = perform  # type: ignore[method-assign]
    here = resource.getrusage(resource.RUSAGE_SELF)
    there = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{name}: {len(sent)} requests, {sum(sent)} operations")
    print(f"judging: {_seconds(here):.1f} CPU s, at most {_peak() / 1024:.0f} MiB")
    print(f"executing: {_seconds(there):.1f} CPU s, at most {there.ru_maxrss / 1024:.0f} MiB")


def time_requests(executor: Executor, cpu: Callable[[], float]) -> dict[str, float]:
    """Return the CPU microseconds of each kind of request."""
    executor.begin_case()
    executor.perform([_BUILD])
    found = {}
    for words, operations in _REQUESTS.items():
        before = cpu()
        for _ in range(_REPEATS):
            executor.perform(operations)
        found[words] = (cpu() - before) / _REPEATS * 1e6
    return found


def _seconds(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _peak() -> int:
    """Return the peak memory of this process in KiB; ru_maxrss would include the parent's."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    """Print the figures."""
    name = sys.argv[1] if len(sys.argv) > 1 else "impl"
    judge(name)
    worker = WorkerProcess(name, Limits())
    worker.receive()
    stat = Path(f"/proc/{worker._process.pid}/stat")

    def both() -> float:
        user, system = stat.read_text("ascii").rpartition(")")[2].split()[11:13]
        return time.process_time() + (int(user) + int(system)) / 100

    remote = time_requests(worker, both)
    worker.close()
    local = time_requests(LocalExecutor(resolve(name)), time.process_time)
    for words, spent in remote.items():
        print(f"{words}: {spent:.0f} µs in two processes, {local[words]:.0f} µs in one")


if __name__ == "__main__":
    main()
