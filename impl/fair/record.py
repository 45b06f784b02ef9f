"""The registry of fair layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from conformance.adapters.implementation import Implementation

Subject = TypeVar("Subject", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Fair:
    """A correct layer, or forward function, that falls short of some SHOULD.

    Attributes:
        implementation: What is judged.
        short_of: The SHOULD requirements that it violates; none for what no requirement is about.
        sentence: What is unusual.
    """

    implementation: Implementation
    short_of: frozenset[str]
    sentence: str


FAIR: dict[str, Fair] = {}
"""Every fair layer by name."""


def fair(name: str, *short_of: str) -> Callable[[Subject], Subject]:
    """Register the decorated ``nnx.Module`` class, or forward function.

    Args:
        name: Its name in the gallery.
        *short_of: The SHOULD requirements that it violates.
    """

    def record(subject: Subject) -> Subject:
        made = (
            Implementation.nnx(subject, name=name)
            if isinstance(subject, type)
            else Implementation(name=name, forward=subject)
        )
        FAIR[name] = Fair(made, frozenset(short_of), (subject.__doc__ or "").strip())
        return subject

    return record
