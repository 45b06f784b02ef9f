"""What a supervisor and a worker write to each other: one line of JSON each.

A worker reads an ``Init`` and then requests, and answers each line with a ``Reply``. A request
names the function that handles it, so a worker need not know any request in advance.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any, ClassVar

EXIT_CHANNEL_CLOSED = 113
"""Exit code of a worker whose implementation has closed the channel for replies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Init:
    """The first message: which implementation the worker is for.

    Attributes:
        implementation: The name to resolve.
        strictly: Ignore declared deviations.
        path: ``sys.path`` of the supervisor.
        heartbeat: The file by which the worker reports progress.
    """

    implementation: str
    strictly: bool
    path: list[str]
    heartbeat: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Base class of requests; their fields become keyword arguments of the handler.

    ``handler`` is ``package.module:function``. The function is called in the worker, with the
    ``Subject`` first, and returns JSON values.
    """

    handler: ClassVar[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to one message.

    Attributes:
        result: What the handler returned; in answer to ``Init`` the kind of the implementation.
        refusal: Why the implementation cannot be resolved; only in answer to ``Init``.
        raised: The exception that ended the handler, if one did.
        effects: Names of the process-wide state that has changed since the last reply.
    """

    result: Any = None
    refusal: str = ""
    raised: str = ""
    effects: list[str] = field(default_factory=list)


def encode(message: Init | Request | Reply) -> str:
    """Return a message as a line of text."""
    data = asdict(message)
    if isinstance(message, Request):
        data = {"handler": message.handler, "arguments": data}
    return json.dumps(data) + "\n"


def decode_request(line: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the handler of an encoded request, and its keyword arguments."""
    data = json.loads(line)
    module, _, function = data["handler"].partition(":")
    return getattr(import_module(module), function), data["arguments"]
