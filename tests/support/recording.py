"""Which operations are executed when a requirement is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.adapters.operations.executor import LocalExecutor
from conformance.adapters.operations.values import Failed, Operation
from conformance.engine.budget import budget
from conformance.engine.judge import judge_requirement
from conformance.frontends.local_judge import subject_of
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS


class _Recording(LocalExecutor):
    """An executor in this process that keeps the names of the operations."""

    def __init__(self, implementation: Any) -> None:
        super().__init__(implementation)
        self.names: set[str] = set()

    def perform(self, operations: Sequence[Operation]) -> list[Any] | Failed:
        self.names |= {operation.name for operation in operations}
        return super().perform(operations)


def operations_of(identity: str, implementation: str = "impl") -> set[str]:
    """Return the names of the operations that judging a requirement executes.

    Args:
        identity: The id of the requirement.
        implementation: A name as for ``conformance run``.
    """
    imported = subject_of(implementation).imported
    executor = _Recording(imported)
    judge_requirement(REQUIREMENTS[identity], Subject(imported, executor), budget(max_examples=2))
    return executor.names
