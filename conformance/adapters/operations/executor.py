"""Executes operations on an implementation that is imported in this process."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from conformance.adapters import call_hooks
from conformance.adapters.errors import describe, place_of
from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.catalogue import OPERATIONS
from conformance.adapters.operations.forms import FORMS
from conformance.adapters.operations.values import (
    ATOMS,
    Failed,
    Given,
    Impossible,
    Live,
    NotNumeric,
    Operation,
    Ref,
)
from conformance.requirements.finding import Finding


class ExecutorLost(BaseException):
    """The process that executes operations has died, or had to be killed.

    Not an ``Exception``, so that nothing between the executor and the verdict can take it for an
    exception of the implementation.

    Attributes:
        finding: What a violation says of it.
        place: The place of the operation in its request.
        case: The case that the operation belongs to, for whoever knows cases.
        drawn: The arguments of the property in that case; None if there was none.
        lacked: "time" or "memory" if a limit ended the process; empty if it ended by itself.
    """

    def __init__(self, finding: Finding, place: int = 0, lacked: str = "") -> None:
        super().__init__(finding.sentence())
        self.finding, self.place, self.lacked = finding, place, lacked
        self.case: Any = None
        self.drawn: dict[str, Any] | None = None


class Executor(Protocol):
    """Executes operations, in this process or in another one."""

    def perform(self, operations: Sequence[Operation]) -> list[Any] | Failed:
        """Execute operations in their order, until one of them raises.

        Returns:
            Their results, or those before the one that raised.

        Raises:
            ExecutorLost: The process that executes them is gone.
        """

    def begin_case(self) -> None:
        """Forget all live objects."""

    def replace_process(self) -> None:
        """Go on in a new process, after one was lost.

        Raises:
            ExecutorLost: The new one is lost, too.
        """


class LocalExecutor:
    """Executes operations in this process.

    Args:
        implementation: What is judged.
        forms: What makes arguments in each form.
        find: Returns the function of an operation by its name, and whether it takes the
            implementation first.
    """

    def __init__(
        self,
        implementation: Implementation,
        forms: Mapping[str, Callable[[Any], Any]] = FORMS,
        find: Callable[[str], tuple[Callable[..., Any], bool]] | None = None,
    ) -> None:
        self._implementation, self._forms = implementation, forms
        self._find = find or find_function
        self._objects: dict[int, Any] = {}
        self._allocated = 0

    def perform(self, operations: Sequence[Operation]) -> list[Any] | Failed:
        """Execute operations; see ``Executor``."""
        results: list[Any] = []
        for operation in operations:
            call_hooks.notify_operation(operation.label, operation.detail)
            try:
                result = self._execute(operation)
            except BaseException as error:
                if not call_hooks.is_implementation_error(error):
                    raise
                refused, place = isinstance(error, Exception), place_of(error)
                return Failed(results, describe(error), refused, place=place, error=error)
            if isinstance(result, Impossible):
                return Failed(results, result.reason, of_suite=True)
            results.append(result)
        return results

    def begin_case(self) -> None:
        """Forget all live objects."""
        self._objects.clear()
        self._allocated = 0

    def replace_process(self) -> None:
        """Do nothing: this process is never lost."""

    def _execute(self, operation: Operation) -> Any:
        function, takes_implementation = self._find(operation.name)
        arguments = [self._take(argument) for argument in operation.arguments]
        if takes_implementation:
            arguments.insert(0, self._implementation)
        returned = function(*arguments)
        if operation.result is None or isinstance(returned, Impossible):
            return self._give(returned)
        self._objects[operation.result] = returned.value if isinstance(returned, Live) else returned
        return None

    def _take(self, argument: Any) -> Any:
        """Return an argument as the operation receives it; arrays are copied."""
        kind = type(argument)
        if kind in ATOMS:
            return argument
        if isinstance(argument, np.ndarray):
            return argument.copy()
        if kind is Ref:
            return self._objects[argument.number]
        if isinstance(argument, Given):
            return self._forms[argument.form](self._take(argument.value))
        if isinstance(argument, dict):
            return {name: self._take(value) for name, value in argument.items()}
        if isinstance(argument, list):
            return [self._take(value) for value in argument]
        return argument

    def _give(self, result: Any) -> Any:
        """Return a result in which live objects are replaced by references."""
        if type(result) in _UNCHANGED:
            return result
        if isinstance(result, Live):
            self._allocated -= 1  # numbers from 0 on are those that requests choose
            self._objects[self._allocated] = result.value
            return Ref(self._allocated)
        if isinstance(result, dict):
            return {name: self._give(value) for name, value in result.items()}
        if isinstance(result, list | tuple):
            return [self._give(value) for value in result]
        if isinstance(result, _PLAIN):
            return result
        return NotNumeric(type(result).__name__)


_UNCHANGED = ATOMS | {np.ndarray}
_PLAIN = np.ndarray | NotNumeric | Impossible | str | bool | int | float


@cache
def find_function(name: str) -> tuple[Callable[..., Any], bool]:
    """Return the function of an operation, and whether it takes the implementation first."""
    function = getattr(import_module(f"{__package__}.{OPERATIONS[name]}"), name)
    return function, next(iter(inspect.signature(function).parameters), "") == "implementation"
