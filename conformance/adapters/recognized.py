"""What the recognition of a class or function concluded, and the line of Python that says so.

Imports the standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any

from conformance.adapters.domain import Wider


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """How an object without an adapter was read.

    Attributes:
        line: The expression of Python that makes the same implementation.
        reasons: What was concluded and why, as short sentences.
        suggestions: Arguments to add to the line, for conventions that calls show and that are
            not assumed.
    """

    line: str
    reasons: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the recognition as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recognition:
        """Return the recognition that ``to_json`` wrote.

        Raises:
            KeyError: A name is missing.
            TypeError: A value is not text.
        """
        lists = [tuple(data[name]) for name in ("reasons", "suggestions")]
        if not all(type(text) is str for text in (data["line"], *lists[0], *lists[1])):
            raise TypeError("a field has another type")
        return cls(line=data["line"], reasons=lists[0], suggestions=lists[1])


def write_call(maker: str, label: str, given: Mapping[str, Any]) -> str:
    """Return the expression that makes an implementation.

    Args:
        maker: The method of ``Implementation``.
        label: The name of the object that it takes.
        given: The further arguments.
    """
    arguments = [f"{name}={write_literal(value)}" for name, value in given.items()]
    return f"Implementation.{maker}({', '.join([label, *arguments])})"


def write_literal(value: Any) -> str:
    """Return a value as Python source."""
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, Mapping):
        items = (f"{write_literal(key)}: {write_literal(each)}" for key, each in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(write_literal, value)))}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(write_literal, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Wider):
        given = {each.name: getattr(value, each.name) for each in fields(value)}
        plain = Wider()
        own = {n: v for n, v in given.items() if v != getattr(plain, n) and n != "build"}
        return f"Wider({', '.join(f'{n}={write_literal(v)}' for n, v in own.items())})"
    return repr(value)
