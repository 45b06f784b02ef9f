"""The order of judging: nothing is lost, and workers start with what finds most violations."""

from __future__ import annotations

import pytest

from conformance.engine.scheduling import _PLACES, deal, order_by_power
from conformance.requirements import REQUIREMENTS

ROWS = tuple(REQUIREMENTS.values())


def test_places_are_those_of_requirements():
    """Every id with a fixed place is in the table."""
    assert set(_PLACES) <= set(REQUIREMENTS)


def test_nothing_is_lost_and_the_first_come_first():
    """The order is a permutation; after those with a place the table's own order remains."""
    ordered = [row.id for row in order_by_power(ROWS)]
    assert sorted(ordered) == sorted(REQUIREMENTS)
    assert ordered[: len(_PLACES)] == list(_PLACES)
    assert ordered[len(_PLACES) :] == [
        identity for identity in REQUIREMENTS if identity not in _PLACES
    ]


@pytest.mark.parametrize("count", [1, 5, 88, 89, 90])
@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
def test_every_part_starts_with_the_first(count: int, workers: int):
    """Cut into parts as pytest-xdist does, each part starts with one of the first items."""
    hand = deal(range(count), workers)
    assert sorted(hand) == list(range(count))
    left = hand
    for worker in range(workers):
        size = len(left) // (workers - worker)
        part, left = left[:size], left[size:]
        assert part == sorted(part)
        assert not part or part[0] < workers
