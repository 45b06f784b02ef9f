"""What judging costs beside the calls that it makes: run time with and without everything else.

One process judges an implementation three times. The first time compiles. The second is measured.
In the third, the operations are kept, and then executed once more: the same calls on the same
inputs in the same order, and nothing else. Nothing is drawn, expected or checked.

Usage: python benchmarks/overhead.py [IMPL]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from conformance.engine.jax_runtime import remember_compilations

remember_compilations()  # before jax is imported

from conformance.adapters.implementation import Implementation  # noqa: E402
from conformance.adapters.operations.executor import LocalExecutor  # noqa: E402
from conformance.adapters.operations.values import Failed, Operation  # noqa: E402
from conformance.adapters.resolve import resolve  # noqa: E402
from conformance.engine.budget import budget  # noqa: E402
from conformance.engine.garbage import collect_rarely  # noqa: E402
from conformance.engine.judge import PropertyRun, judge, unsupported  # noqa: E402
from conformance.properties import PROPERTIES  # noqa: E402
from conformance.properties.support.subject import Subject  # noqa: E402
from conformance.requirements import REQUIREMENTS, select  # noqa: E402


class Recorder(LocalExecutor):
    """Executes operations, and keeps them: a list of requests for each case."""

    def __init__(self, implementation: Implementation) -> None:
        super().__init__(implementation)
        self.cases: list[list[Sequence[Operation]]] = []

    def begin_case(self) -> None:
        """Forget all live objects; what is executed next belongs to a new case."""
        super().begin_case()
        self.cases.append([])

    def perform(self, operations: Sequence[Operation]) -> list[Any] | Failed:
        """Execute operations, and keep them."""
        self.cases[-1].append(operations)
        return super().perform(operations)


def judged(subject: Subject) -> float:
    """Judge everything that applies; return the processor's seconds."""
    started = time.process_time()
    for row in select(REQUIREMENTS):
        if unsupported(row, subject) is None:
            verdict = judge(PropertyRun(PROPERTIES[row.id], subject, budget()))
            assert not verdict.outcome.bad, verdict
    return time.process_time() - started


def bare(executor: LocalExecutor, cases: list[list[Sequence[Operation]]]) -> float:
    """Execute operations and nothing else; return the processor's seconds."""
    started = time.process_time()
    for requests in cases:
        executor.begin_case()
        for operations in requests:
            executor.perform(operations)
    return time.process_time() - started


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("implementation", nargs="?", default="impl")
    collect_rarely()  # as in the process that executes operations
    implementation = resolve(parser.parse_args().implementation)
    subject = Subject(implementation)
    judged(subject)
    whole = min(judged(subject) for _ in range(2))
    recorder = Recorder(implementation)
    judged(Subject(implementation, recorder))
    executor = LocalExecutor(implementation)
    only = min(bare(executor, recorder.cases) for _ in range(2))
    print(f"{len(recorder.cases)} cases, CPU s: judged {whole:.2f}, the calls alone {only:.2f}")
    print(f"judging ÷ bare calls: {whole / only:.2f}")


if __name__ == "__main__":
    main()
