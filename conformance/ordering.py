"""In which order requirements are judged: what finds most in a second comes first.

The order changes no verdict, because each requirement has a stream of cases of its own; reports
are sorted by the table again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from conformance.requirements import Requirement

_FIRST = ("INIT-8", "TRAIN-1", "EVAL-1", "EMA-1", "EMA-2", "STATE-3", "GRAD-3", "STATE-5")
"""Requirements that many mistakes violate and that cost little."""

_LONG = ("SEQ-1", "SHAPE-1", "GRAD-1", "IND-2", "EMA-6", "JIT-5", "VMAP-1", "SER-3")
"""Those that take longest: begun last, one of them would keep a single process busy."""

_PLACES = {f"BN-{name}": place for place, name in enumerate((*_FIRST, *_LONG))}

T = TypeVar("T")


def by_power(rows: Sequence[Requirement]) -> list[Requirement]:
    """Return the requirements in the order in which to judge them."""
    return sorted(rows, key=lambda row: _PLACES.get(row.id, len(_PLACES)))


def dealt(items: Sequence[T], workers: int) -> list[T]:
    """Return the items in an order whose n equal parts each start with the first ones.

    pytest-xdist gives every worker one part, the smaller ones first, and lets those that are
    done steal from others.
    """
    return [item for first in reversed(range(workers)) for item in items[first::workers]]
