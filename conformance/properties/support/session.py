"""The operations of one case: sent to the implementation in order, its failures made violations."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from conformance.adapters.operations.executor import Executor, LocalExecutor
from conformance.adapters.operations.values import Failed, NotNumeric, Operation, Ref
from conformance.numerics.state import AnyArray
from conformance.properties.support.checks import violation
from conformance.requirements.finding import NUMERIC_ARRAY, RESULT, FindingKind


class Session:
    """Sends operations to an executor; those without a result travel with the next one.

    Args:
        executor: What executes them.
        library: The package whose transforms a layer is put under, for violations.
    """

    def __init__(self, executor: Executor, library: str = "jax") -> None:
        self.executor, self.library = executor, library
        self._pending: list[Operation] = []
        self._kept = 0

    def begin_case(self) -> None:
        """Forget the live objects of the case before."""
        self._pending.clear()
        self._kept = 0
        self.executor.begin_case()

    def keep(self, name: str, *arguments: Any, label: str, detail: str = "") -> Ref:
        """Have an operation executed, by the next request, whose result stays where it is.

        Args:
            name: The operation.
            *arguments: Its arguments.
            label: What is done, for a violation, such as "the constructor".
            detail: The arguments that matter to a reader.
        """
        self._kept += 1
        self._pending.append(Operation(name, arguments, self._kept, label, detail))
        return Ref(self._kept)

    def do(self, name: str, *arguments: Any, label: str, detail: str = "") -> None:
        """Have an operation without a result executed, by the next request."""
        self._pending.append(Operation(name, arguments, None, label, detail))

    def ask(self, name: str, *arguments: Any, label: str, detail: str = "") -> Any:
        """Execute an operation, and those before it, and return its result.

        Raises:
            ViolationFound: The implementation raises in one of them.
        """
        self._pending.append(Operation(name, arguments, None, label, detail))
        return self.flush()[-1]

    def flush(self) -> list[Any]:
        """Execute the operations that are left.

        Raises:
            ViolationFound: The implementation raises in one of them.
            RuntimeError: The environment makes one of them impossible.
        """
        operations, self._pending = self._pending, []
        if not operations:
            return []
        results = self.executor.perform(operations)
        if isinstance(results, Failed):
            return _report(operations[results.index], results)
        return results

    def refuses(self, name: str, *arguments: Any, label: str) -> bool:
        """Return whether an operation raises an exception, of any class.

        Raises:
            ViolationFound: The implementation raises in an operation before it.
        """
        self.flush()
        operation = Operation(name, arguments, None, label)
        results = self.executor.perform([operation])
        if isinstance(results, Failed):
            if not results.refused:
                _report(operation, results)
            return True
        return False

    def live(self, ref: Ref) -> Any:
        """Return a live object; only where the implementation is in this process."""
        assert isinstance(self.executor, LocalExecutor)  # noqa: S101
        self.flush()
        return self.executor.live(ref)


def _report(operation: Operation, failed: Failed) -> NoReturn:
    if failed.of_suite:
        raise RuntimeError(failed.text) from failed.error
    label, detail = operation.label, operation.detail
    quantity = f"{label} with {detail}" if detail else label
    try:
        violation(quantity, failed.text, RESULT, kind=FindingKind.RAISED, operation=label)
    except AssertionError as found:
        raise found from failed.error


def as_array(what: str, value: Any) -> AnyArray:
    """Return a result that has to be an array.

    Args:
        what: The name of the array in a violation.
        value: The result of an operation.

    Raises:
        ViolationFound: The implementation returned something else.
    """
    if isinstance(value, np.ndarray):
        return value
    got = value.type_name if isinstance(value, NotNumeric) else type(value).__name__
    return violation(what, got, NUMERIC_ARRAY, kind=FindingKind.NOT_ARRAY)
