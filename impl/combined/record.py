"""The record of a layer with several mistakes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from conformance.adapters.implementation import Implementation

Layer = TypeVar("Layer", bound=type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """A layer with several mistakes.

    Attributes:
        name: The names of its mistakes.
        breaks: Requirements that it violates, at least one for each mistake.
        sentence: What is wrong.
        module: The module that has its code.
        implementation: What is judged.
        mistakes: For each mistake, the right ids of its diagnosis.
        source: Where it was seen.
    """

    name: str
    breaks: tuple[str, ...]
    sentence: str
    module: str
    implementation: Implementation
    mistakes: tuple[tuple[str, ...], ...]
    source: str = ""

    @property
    def family(self) -> str:
        """The last part of the module's name."""
        return self.module.rsplit(".", 1)[-1]

    def named_by(self, alternatives: Collection[str]) -> tuple[str, ...]:
        """Return the right ids of all its mistakes."""
        del alternatives
        return tuple(identity for each in self.mistakes for identity in each)


COMBINED: dict[str, Combined] = {}
"""Every layer by name; filled when ``impl.combined`` is imported."""


def combined(
    name: str, *breaks: str, mistakes: Sequence[str | tuple[str, ...]], **driven: Any
) -> Callable[[Layer], Layer]:
    """Record the decorated ``nnx.Module`` class.

    Args:
        name: Its name.
        *breaks: The requirements that it violates.
        mistakes: The right id of the diagnosis of each mistake, or several that are.
        **driven: Arguments of ``Implementation.nnx``.

    Raises:
        ValueError: The name is taken, nothing is broken, or there is no sentence.
    """

    def record(layer: Layer) -> Layer:
        sentence = (layer.__doc__ or "").strip().split("\n\n")[0]
        if name in COMBINED or not breaks or not sentence:
            msg = f"{name!r} needs an unused name, ids that it breaks, and a docstring"
            raise ValueError(msg)
        COMBINED[name] = Combined(
            name=name,
            breaks=breaks,
            sentence=sentence,
            module=layer.__module__,
            implementation=Implementation.nnx(layer, name=name, **driven),
            mistakes=tuple((each,) if isinstance(each, str) else each for each in mistakes),
        )
        return layer

    return record
