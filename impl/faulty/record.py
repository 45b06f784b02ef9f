"""The record of a fault: its name, what it breaks, and where it was seen."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from conformance.adapters.domain import Wider
from conformance.adapters.implementation import Implementation
from conformance.requirements import REQUIREMENTS
from conformance.requirements.deviations import Deviation
from impl.functional import FunctionalBatchNorm

Subject = TypeVar("Subject", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One faulty implementation.

    Attributes:
        name: The id of the mistake, here and in a diagnosis.
        breaks: The requirements that name the mistake; each of them must fail.
        sentence: What is wrong.
        source: Where it was seen.
        module: The module that has its code.
        implementation: What is judged.
        raises: The mistake shows as an exception; any other fault has to be caught by what it
            returns, not because it crashes.
        diagnosed: The right ids of its diagnosis where they are not its name, such as an
            alternative in a scope, "gamma-unused@compiled".
    """

    name: str
    breaks: tuple[str, ...]
    sentence: str
    source: str
    module: str
    implementation: Implementation
    raises: bool = False
    diagnosed: tuple[str, ...] = ()

    def named_by(self, alternatives: Collection[str]) -> tuple[str, ...]:
        """Return the right ids of its diagnosis; none if no alternative describes the mistake."""
        return self.diagnosed or ((self.name,) if self.name in alternatives else ())

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
    diagnosed: str | tuple[str, ...] = (),
    wider: Wider | None = None,
    deviations: tuple[Deviation, ...] = (),
    count: str = "",
    **driven: Any,
) -> Callable[[Subject], Subject]:
    """Record the decorated ``nnx.Module`` class, pure layer, or forward function, as a fault.

    Args:
        name: The id of the mistake.
        *breaks: The requirements that it breaks.
        source: Where it was seen.
        raises: Whether it shows as an exception.
        diagnosed: The right id of its diagnosis, or several, if it is not ``name``.
        wider: What the class declares to take beyond a float32 batch (N, D).
        deviations: The conventions that the class declares.
        count: The attribute that counts its updates.
        **driven: Further arguments of ``Implementation.nnx``.

    Raises:
        ValueError: The name is taken, nothing is broken, a requirement is unknown, or there is no
            sentence.
    """

    def record(subject: Subject) -> Subject:
        sentence = (subject.__doc__ or "").strip().split("\n\n")[0]
        if name in FAULTS or not breaks or not sentence:
            msg = f"{name!r} needs an unused name, ids that it breaks, and a docstring"
            raise ValueError(msg)
        unknown = sorted(set(breaks) - set(REQUIREMENTS))
        if unknown:
            msg = f"{name!r} breaks {', '.join(unknown)}: there is no such requirement"
            raise ValueError(msg)
        if not isinstance(subject, type):
            implementation = Implementation(name=name, forward=subject)
        elif issubclass(subject, FunctionalBatchNorm):
            implementation = Implementation(name=name, build=subject.layer, pure=True)
        else:
            implementation = Implementation.nnx(
                subject, name=name, wider=wider, deviations=deviations, count=count, **driven
            )
        FAULTS[name] = Fault(
            name=name,
            breaks=breaks,
            sentence=sentence,
            source=source,
            module=subject.__module__,
            raises=raises,
            diagnosed=(diagnosed,) if isinstance(diagnosed, str) else diagnosed,
            implementation=implementation,
        )
        return subject

    return record
