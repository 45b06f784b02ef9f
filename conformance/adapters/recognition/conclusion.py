"""What was recognized, as the line of Python that says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.adapters.implementation import Implementation
from conformance.adapters.recognized import Recognition, write_call


@dataclass(frozen=True, kw_only=True)
class Recognized:
    """A reading of a class or function.

    Attributes:
        label: The name of the object in the line.
        given: The arguments that are not defaults.
        kind: What it was recognized as, for reports.
        reasons: Why, as short sentences.
        suggestions: Arguments to add, each with the sentence that says why.
    """

    label: str
    given: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "recognized nnx.Module"
    reasons: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The expression that makes the same implementation."""
        return write_call("nnx", self.label, self.given)

    def implementation(self, name: str, found: Callable[..., Any]) -> Implementation:
        """Return the implementation that the line makes.

        Args:
            name: Its name in reports.
            found: The object that the label names.
        """
        recognition = Recognition(
            line=self.line, reasons=self.reasons, suggestions=self.suggestions
        )
        made = Implementation.nnx(found, name=name, kind=self.kind, **self.given)
        return replace(made, recognition=recognition)
