"""What was recognized, as the line of Python that says the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import Any

from conformance.adapters.domain import Wider
from conformance.adapters.implementation import Implementation
from conformance.adapters.recognized import Recognition


@dataclass(frozen=True, kw_only=True)
class Recognized:
    """A reading of a class or function.

    Attributes:
        label: The name of the object in the line.
        maker: The method of ``Implementation`` that takes it.
        given: The arguments that are not defaults.
        kind: What it was recognized as, for reports.
        reasons: Why, as short sentences.
        suggestions: Arguments to add, each with the sentence that says why.
    """

    label: str
    maker: str = "nnx"
    given: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "recognized nnx.Module"
    reasons: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The expression that makes the same implementation."""
        arguments = [f"{name}={write_literal(value)}" for name, value in self.given.items()]
        return f"Implementation.{self.maker}({', '.join([self.label, *arguments])})"

    def implementation(self, name: str, found: Callable[..., Any]) -> Implementation:
        """Return the implementation that the line makes.

        Args:
            name: Its name in reports.
            found: The object that the label names.
        """
        make = getattr(Implementation, self.maker)
        recognition = Recognition(
            line=self.line, reasons=self.reasons, suggestions=self.suggestions
        )
        made: Implementation = make(found, name=name, kind=self.kind, **self.given)
        return replace(made, recognition=recognition)


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
