"""Which known faults violate nearly the same requirements."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

CLOSE = 0.8
"""The least similarity at which a fault is called similar."""

_CLEAR = 0.1
"""By how much a fault must be nearer than faults that are described otherwise."""

_TELLING = 3
"""With fewer violated requirements too many faults look alike."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A known fault and its similarity: |both| ÷ |either| of the violated requirements."""

    name: str
    sentence: str
    similarity: float


def neighbours(
    violated: Collection[str], matrix: Mapping[str, Any], judged: Collection[str] | None = None
) -> list[Neighbour]:
    """Return the known faults by similarity, the nearest first.

    ``judged``: only these requirements were judged; others cannot count as kept.
    """
    found = set(violated)
    ranked = []
    for name, fault in matrix.items():
        theirs = set(fault["violates"]) & set(judged) if judged else set(fault["violates"])
        either = found | theirs
        similarity = len(found & theirs) / len(either) if either else 0.0
        ranked.append(Neighbour(name, str(fault["sentence"]), similarity))
    return sorted(ranked, key=lambda neighbour: (-neighbour.similarity, neighbour.name))


def nearest(
    violated: Collection[str], matrix: Mapping[str, Any], judged: Collection[str] | None = None
) -> Neighbour | None:
    """Return the one fault that is near enough, and clearly nearer than any other, or None."""
    ranked = neighbours(violated, matrix, judged)
    if not ranked or len(set(violated)) < _TELLING or ranked[0].similarity < CLOSE:
        return None
    if len(ranked) > 1 and ranked[0].similarity - ranked[1].similarity < _CLEAR:
        return None
    return ranked[0]
