"""The registry of behaviours, and the record of an observation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from conformance.properties.support.subject import Subject
from conformance.requirements import Capability

Observe = Callable[[Subject], str]
"""From an implementation to one sentence, without its subject and full stop."""


class NotObserved(Exception):
    """The behaviour cannot be observed on this implementation; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One question that the requirements leave open, and the function that finds the answer.

    Attributes:
        name: The id.
        question: What the requirements leave open.
        observe: Finds the answer.
        needs: What an implementation must offer: a layer, or a forward function.
    """

    name: str
    question: str
    observe: Observe
    needs: Capability = Capability.LAYER


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer about one implementation: a sentence, or why nothing was observed."""

    behaviour: str
    observed: bool
    answer: str

    def __str__(self) -> str:
        return self.answer if self.observed else f"not observed: {self.answer}"

    def to_json(self) -> dict[str, Any]:
        """Return the observation as JSON values."""
        return asdict(self)


BEHAVIOURS: dict[str, Behaviour] = {}
"""Every behaviour by name, in the order of the table."""


def behaviour(
    name: str, question: str, needs: Capability = Capability.LAYER
) -> Callable[[Observe], Observe]:
    """Register the decorated function as the one that answers a question.

    Args:
        name: The id of the behaviour.
        question: What the requirements leave open.
        needs: What an implementation must offer.

    Raises:
        ValueError: Another behaviour has the same id.
    """
    if name in BEHAVIOURS:
        msg = f"there is already a behaviour {name!r}"
        raise ValueError(msg)

    def record(observe: Observe) -> Observe:
        BEHAVIOURS[name] = Behaviour(name, question, observe, needs)
        return observe

    return record
