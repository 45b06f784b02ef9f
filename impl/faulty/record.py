"""The record of a fault: its name, what it breaks, and where it was seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from conformance.adapters.domain import Wider
from conformance.adapters.implementation import Implementation
from conformance.requirements.deviations import Deviation
from impl.functional import FunctionalBatchNorm

Subject = TypeVar("Subject", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One faulty implementation.

    ``breaks`` are the requirements that name its mistake; each of them must fail. ``module``
    is where its code stands. ``raises``: the mistake shows as an exception; any other fault has
    to be caught by what it returns, not because it crashes.
    """

    name: str
    breaks: tuple[str, ...]
    sentence: str
    source: str
    module: str
    implementation: Implementation
    raises: bool = False

    @property
    def family(self) -> str:
        """The last part of the module's name."""
        return self.module.rsplit(".", 1)[-1]


FAULTS: dict[str, Fault] = {}
"""Every fault by name; filled when ``impl.faulty`` is imported."""


def fault(
    name: str,
    *breaks: str,
    source: str = "",
    raises: bool = False,
    wider: Wider | None = None,
    deviations: tuple[Deviation, ...] = (),
    count: str = "",
) -> Callable[[Subject], Subject]:
    """Record the decorated ``nnx.Module`` class, pure layer, or forward function, as a fault.

    ``wider`` is what the class declares to take beyond a float32 batch (N, D), ``deviations``
    the conventions that it declares, ``count`` its attribute for the number of its updates.

    Raises:
        ValueError: the name is taken, nothing is broken, or there is no sentence.
    """

    def record(subject: Subject) -> Subject:
        sentence = (subject.__doc__ or "").strip().split("\n\n")[0]
        if name in FAULTS or not breaks or not sentence:
            msg = f"{name!r} needs a name of its own, ids that it breaks, and a docstring"
            raise ValueError(msg)
        if not isinstance(subject, type):
            implementation = Implementation(name=name, forward=subject)
        elif issubclass(subject, FunctionalBatchNorm):
            implementation = Implementation(name=name, build=subject.layer, pure=True)
        else:
            implementation = Implementation.nnx(
                subject, name=name, wider=wider, deviations=frozenset(deviations), count=count
            )
        FAULTS[name] = Fault(
            name=name,
            breaks=breaks,
            sentence=sentence,
            source=source,
            module=subject.__module__,
            raises=raises,
            implementation=implementation,
        )
        return subject

    return record
