"""The operations of cases, in order: sent together, their failures made violations.

Results are lazy: nothing is executed before a result is looked at, or a case is finished, and
then everything that was asked for by then, of this case and of others. So several cases are one
request, and a violation is found at the same place as if each operation had been executed at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from conformance.adapters.operations.executor import Executor, ExecutorLost
from conformance.adapters.operations.values import ATOMS, Failed, NotNumeric, Operation, Ref
from conformance.numerics.state import AnyArray
from conformance.properties.support.checks import Comparison, violation
from conformance.properties.support.lazy_array import LazyArray
from conformance.requirements.finding import NUMERIC_ARRAY, RESULT, FindingKind


class Answer:
    """The result of an operation that may not have been executed yet.

    Attributes:
        case: The case that it belongs to.
        operation: The operation.
    """

    __slots__ = ("_accept", "_result", "_session", "case", "operation")

    def __init__(
        self,
        session: Session,
        case: OpenCase,
        operation: Operation,
        accept: Callable[[Any], Any] | None,
    ) -> None:
        self.case, self.operation = case, operation
        self._session: Session | None = session
        self._accept = accept
        self._result: Any = None

    def arrive(self, result: Any) -> None:
        """Keep the result, or ``Failed``."""
        self._result = result

    def settle(self) -> None:
        """Accept the result, when all results before it are accepted.

        Raises:
            ViolationFound: The implementation raised, or returned what cannot be accepted.
            RuntimeError: The environment made the operation impossible.
        """
        self._session = None
        if isinstance(self._result, Failed):
            _report(self.operation, self._result)
        if self._accept is not None:
            self._result = self._accept(self._result)

    @property
    def value(self) -> Any:
        """The accepted result; what was asked for before it comes first."""
        if self._session is not None:
            self._session.finish(self)
        return self._result

    def array(self, get: Callable[[Any], AnyArray] | None = None) -> AnyArray:
        """Return the result as an array that is fetched when it is looked at.

        Args:
            get: Takes the array out of the result; None if it is the result.
        """
        make = (lambda: self.value) if get is None else (lambda: get(self.value))
        return LazyArray(make)  # type: ignore[return-value]  # it acts as an array


class OpenCase:
    """What is still to be taken or checked in one case, in order."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps: deque[Answer | Callable[[], None]] = deque()


class Session:
    """Sends operations to an executor, and takes their results in order.

    Args:
        executor: What executes them.
        library: The package whose transforms a layer is put under, for violations.
    """

    def __init__(self, executor: Executor, library: str = "jax") -> None:
        self.executor, self.library = executor, library
        self._unsent: list[Answer] = []
        self._case = OpenCase()
        self._kept = 0

    def begin_case(self, *, alone: bool = True) -> OpenCase:
        """Begin a case; what is asked for from now on belongs to it.

        Args:
            alone: Whether the live objects of the cases before can be forgotten.
        """
        if alone:
            self._unsent.clear()
            self._kept = 0
            self.executor.begin_case()
        self._case = OpenCase()
        self.do("begin_case", label="the case")
        return self._case

    def resume(self, case: OpenCase) -> None:
        """Go on with a case."""
        self._case = case

    def keep(self, name: str, *arguments: Any, label: str, detail: str = "") -> Ref:
        """Have an operation executed whose result stays where it is.

        Args:
            name: The operation.
            *arguments: Its arguments.
            label: What is done, for a violation, such as "the constructor".
            detail: The arguments that matter to a reader.
        """
        self._kept += 1
        ref = Ref(self._kept)
        self._add(Operation(name, _present(arguments), ref.number, label, detail))
        return ref

    def do(self, name: str, *arguments: Any, label: str, detail: str = "") -> None:
        """Have an operation without a result executed."""
        self._add(Operation(name, _present(arguments), None, label, detail))

    def request(
        self,
        name: str,
        *arguments: Any,
        label: str,
        detail: str = "",
        accept: Callable[[Any], Any] | None = None,
    ) -> Answer:
        """Have an operation executed, and return what its result will be.

        Args:
            name: The operation.
            *arguments: Its arguments.
            label: What is done, for a violation.
            detail: The arguments that matter to a reader.
            accept: Makes the value of the answer from the result, or raises ``ViolationFound``.
        """
        return self._add(Operation(name, _present(arguments), None, label, detail), accept)

    def ask(self, name: str, *arguments: Any, label: str, detail: str = "") -> Any:
        """Execute an operation, and those before it, and return its result.

        Raises:
            ViolationFound: The implementation raises in one of them, or violates a check.
        """
        return self.request(name, *arguments, label=label, detail=detail).value

    def later(self, check: Callable[[], None]) -> None:
        """Make a check when the results of all operations so far are there.

        Args:
            check: Makes the check, of values that do not change until then.
        """
        self._case.steps.append(check)

    def finish(self, until: Answer | None = None) -> None:
        """Execute what was asked for; take results and make checks of this case in their order.

        Args:
            until: The last result to take; None for all.

        Raises:
            ViolationFound: The implementation raises, or violates a check.
            RuntimeError: The environment makes an operation impossible.
        """
        try:
            self._send()
            self._take(until)
        except BaseException:
            self._case.steps.clear()  # what comes after a failure is neither taken nor checked
            self._unsent = [answer for answer in self._unsent if answer.case is not self._case]
            raise

    def _take(self, until: Answer | None) -> None:
        """Take results and make checks of this case in their order."""
        steps = self._case.steps
        while steps:
            first = steps.popleft()
            if not isinstance(first, Answer):
                first()
                continue
            first.settle()
            if first is until:
                return

    def _add(self, operation: Operation, accept: Callable[[Any], Any] | None = None) -> Answer:
        answer = Answer(self, self._case, operation, accept)
        self._unsent.append(answer)
        self._case.steps.append(answer)
        return answer

    def _send(self) -> None:
        """Execute what has not been executed; what comes after a failure in a case never is."""
        while self._unsent:
            answers, self._unsent = self._unsent, []
            try:
                results = self.executor.perform([answer.operation for answer in answers])
            except ExecutorLost as lost:
                lost.case = answers[lost.place].case
                raise
            if not isinstance(results, Failed):
                for answer, result in zip(answers, results, strict=True):
                    answer.arrive(result)
                return
            failing = answers[len(results.before)]
            while failing.case.steps[-1] is not failing:
                failing.case.steps.pop()
            for answer, result in zip(answers, [*results.before, results], strict=False):
                answer.arrive(result)
            rest = answers[len(results.before) + 1 :]
            self._unsent = [answer for answer in rest if answer.case is not failing.case]


def _report(operation: Operation, failed: Failed) -> NoReturn:
    if failed.of_suite:
        raise RuntimeError(failed.text) from failed.error
    label, detail = operation.label, operation.detail
    quantity = f"{label} with {detail}" if detail else label
    try:
        violation(quantity, failed.text, RESULT, kind=FindingKind.RAISED, operation=label)
    except AssertionError as found:
        if failed.place:
            found.add_note(failed.place)
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
    compared = Comparison("array", value)
    return violation(what, got, NUMERIC_ARRAY, compared, kind=FindingKind.NOT_ARRAY)


_AS_THEY_ARE = ATOMS | {np.ndarray, Ref}


def _present(arguments: Any) -> Any:
    """Return arguments in which arrays are there."""
    kind = type(arguments)
    if kind in _AS_THEY_ARE:
        return arguments
    if kind is LazyArray:
        return arguments.numpy()
    if isinstance(arguments, tuple | list):
        return kind(_present(each) for each in arguments)
    if isinstance(arguments, dict):
        return {name: _present(each) for name, each in arguments.items()}
    return arguments
