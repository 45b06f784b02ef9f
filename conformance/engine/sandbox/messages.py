"""What a supervisor and a worker say to each other.

A worker reads an ``Init`` and then requests, and answers each with a ``Reply``. A request is a
list of operations, or names the function that handles it, so a worker need not know any request
in advance. Each message has a ``number`` that nobody can guess; what answers it is a list of
this number and the answer. What a worker says about an implementation is an array or a fact,
never a verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from typing import Any, ClassVar

from conformance.adapters.errors import AdapterError, printable
from conformance.adapters.implementation import Declaration
from conformance.adapters.operations.catalogue import MAY_BE_IMPOSSIBLE
from conformance.adapters.operations.values import Failed, Operation

TAKE_EFFECTS = "take effects"
"""The handler of a request for the changes of process-wide state alone."""

RECOGNIZING = "finding out how it is called"
"""What a worker does when it tries calls of what it has loaded."""

NUMBER = "number"
"""The key of the number of a message."""

_DIGITS = 9
"""More than the place of any operation has."""

EXIT_CHANNEL_CLOSED = 113
"""Exit code of a worker whose implementation has closed the channel for replies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Init:
    """The first message: which implementation the worker is for.

    Attributes:
        implementation: The name to resolve.
        strictly: Ignore declared deviations.
        path: ``sys.path`` of the supervisor; empty to keep that of another environment.
        by_names: Resolve it without a call of it.
        device: The device to use; empty for the default one.
    """

    implementation: str
    strictly: bool
    path: list[str]
    by_names: bool = False
    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Base class of requests that a function handles; their fields become keyword arguments.

    ``handler`` is ``package.module:function``. The function is called in the worker, with the
    ``Subject`` first, and returns JSON values.
    """

    handler: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one message that is not a list of operations.

    Attributes:
        result: What the handler returned; in answer to ``Init`` the declaration.
        refusal: Why the implementation cannot be resolved; only in answer to ``Init``.
        raised: The exception that ended the handler, if one did.
        effects: Names of the process-wide state that has changed since the last reply.
        device: What the device calls itself; only in answer to ``Init``.
    """

    result: Any = None
    refusal: str = ""
    raised: str = ""
    effects: list[str] = field(default_factory=list)
    device: str = ""


def read_declaration(reply: Reply, name: str) -> Declaration:
    """Return what an implementation declares, by the answer to ``Init``.

    Args:
        reply: The answer.
        name: The name by which it was asked for, which it has, whatever its process says.

    Raises:
        AdapterError: It cannot be resolved, or declares what does not exist.
    """
    if reply.refusal:
        raise AdapterError(reply.refusal)
    try:
        return replace(Declaration.from_json(reply.result), name=name)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        msg = f"its process declares something that does not exist: {error}"
        raise AdapterError(msg) from error


def handling(request: Request) -> dict[str, Any]:
    """Return the content of a request that a function handles."""
    return {"handler": request.handler, "arguments": asdict(request)}


def find_handler(content: dict[str, Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the function that handles a request, and its keyword arguments."""
    module, _, function = content["handler"].partition(":")
    return getattr(import_module(module), function), content["arguments"]


def executing(operations: Sequence[Operation], *, new_case: bool) -> dict[str, Any]:
    """Return the content of a request to execute operations.

    Args:
        operations: The operations; their labels stay here.
        new_case: Whether to forget all live objects before.
    """
    listed = [[each.name, each.arguments, each.result] for each in operations]
    return {"operations": listed, "new_case": new_case}


def operations_of(content: dict[str, Any]) -> list[Operation]:
    """Return the operations of a request; each is labelled as ``label_of`` says."""
    number = content[NUMBER]
    return [
        Operation(name, tuple(arguments), result, label=label_of(number, place))
        for place, (name, arguments, result) in enumerate(content["operations"])
    ]


def label_of(number: str, place: int) -> str:
    """Return how a worker names an operation, by the number of its request and its place."""
    return f"{number}:{place}"


def place_of(label: str, number: str) -> int:
    """Return the place of an operation in a request; -1 if it is of another request."""
    request, _, place = label.partition(":")
    return int(place) if request == number and place.isdecimal() and len(place) < _DIGITS else -1


def outcome_of(results: list[Any] | Failed) -> Any:
    """Return the content of the answer to a list of operations."""
    if isinstance(results, Failed):
        return {
            "before": results.before,
            "failed": [results.text, results.refused, results.of_suite, results.place],
        }
    return results


def read_outcome(content: Any, operations: Sequence[Operation]) -> list[Any] | Failed:
    """Return what came of operations.

    Raises:
        ValueError: The content says something else.
    """
    if isinstance(content, dict):
        before, (text, refused, of_suite, place) = content["before"], content["failed"]
        if type(before) is not list or len(before) >= len(operations):
            raise ValueError("an operation that was not asked for failed")
        possible = operations[len(before)].name in MAY_BE_IMPOSSIBLE
        of_suite = of_suite is True and possible
        return Failed(before, str(text), refused is True, of_suite, printable(str(place)))
    if not isinstance(content, list) or len(content) != len(operations):
        raise ValueError("the results are not those of the operations")
    return content
