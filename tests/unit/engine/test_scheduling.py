"""The order of judging: nothing is lost, and workers start with what finds most violations."""

from __future__ import annotations

from itertools import chain

import pytest

from conformance.engine.scheduling import (
    _APART,
    _COMPILED,
    _PLACES,
    deal,
    group_by_programs,
    order_by_power,
)
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
def test_parts_have_groups_in_common_and_keep_their_order(count: int, workers: int):
    """The parts are those of pytest-xdist; each has consecutive groups, the most urgent first."""
    parts = deal(range(count), workers, lambda item: item % 3)
    assert sorted(chain.from_iterable(parts)) == list(range(count))
    left, last = count, 0
    for worker, part in enumerate(parts):
        assert len(part) == left // (workers - worker)
        left -= len(part)
        assert part == sorted(part)
        groups = [item % 3 for item in part]
        assert min(groups, default=last) >= last
        last = max(groups, default=last)


def test_groups_are_those_of_families():
    """Every family of the table is in one group, and each group has some."""
    groups = {row.family: group_by_programs(row.id) for row in ROWS if row.id != "BN-SHAPE-1"}
    assert set(groups.values()) == {0, 1, 2}
    assert {*_COMPILED, *_APART} <= groups.keys()
    assert group_by_programs("BN-SHAPE-1") == group_by_programs("BN-JIT-1")
