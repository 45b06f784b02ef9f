"""What the recognition of a class or function concluded, and why.

Imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


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
            TypeError: A value is no text.
        """
        lists = [tuple(data[name]) for name in ("reasons", "suggestions")]
        if not all(type(text) is str for text in (data["line"], *lists[0], *lists[1])):
            raise TypeError("a field has another type")
        return cls(line=data["line"], reasons=lists[0], suggestions=lists[1])
