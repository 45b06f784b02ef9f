"""Orders requirements: those that find most in a second are judged first.

The order changes no verdict, because each requirement has its own stream of cases; reports
are sorted by the table again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from conformance.requirements import Requirement

_PLAIN = "INIT-8 TRAIN-1 EVAL-1 EMA-1 EMA-2"
"""Plain statements about one call: many mistakes violate them, and they explain themselves."""

_FINDING = """
SHARED-2 FWD-3 STATE-8 GRAD-4 TYPE-2 EVAL-4 MASK-3 MASK-1 JIT-5 SYNC-1 GRAD-5 SER-2 TYPE-3 FLAG-2
STATE-4 SYNC-3 ND-1 SHAPE-EVAL-1 MASK-2 JIT-7 FLAG-5 SYNC-2 STATE-2 NUM-3 FWD-4 TYPE-1 GRAD-8
GRAD-2 ERR-1 SER-4 FWD-1 GRAD-3 EVAL-2 GRAD-6 STATE-3 FLAG-4 AFF-1 GRAD-9 SHAPE-2 IND-3 SHARED-1
STATE-5 EVAL-6
"""
"""Those that find most of the other faults of the gallery per second (benchmarks/order.py)."""

_LONG = "SEQ-1 SHAPE-1 TRAIN-3 SER-3 GRAD-1 IND-2 EMA-6 VMAP-1"
"""Those that take longest: begun last, one of them would keep a single process busy."""

_PLACES = {f"BN-{name}": place for place, name in enumerate(f"{_PLAIN} {_FINDING} {_LONG}".split())}

T = TypeVar("T")


def order_by_power(rows: Sequence[Requirement]) -> list[Requirement]:
    """Return the requirements in the order in which to judge them."""
    return sorted(rows, key=lambda row: _PLACES.get(row.id, len(_PLACES)))


_COMPILED = ("JIT", "VMAP", "SCAN", "REMAT", "SHARED", "SHAPE-EVAL", "GRAD", "SER")
"""Families whose cases run in programs of their own shapes, under transforms."""

_APART = ("INIT", "STATE", "ND", "MASK", "TYPE", "SYNC")
"""Families that share few programs with others: they construct layers, or have a domain of theirs
and are rarely offered."""


def group_by_programs(requirement: str) -> int:
    """Return a number for the programs that judging a requirement compiles.

    Every process lowers and loads each program that it runs, which takes longer than running
    it: a process that judges requirements of one group has fewer of them.

    Args:
        requirement: The id.
    """
    family = requirement.removeprefix("BN-").rpartition("-")[0]
    if family in _COMPILED or requirement == "BN-SHAPE-1":
        return 0
    return 1 if family in _APART else 2


def deal(items: Sequence[T], workers: int, group: Callable[[T], int]) -> list[list[T]]:
    """Return the items in equal parts, one per worker, that have groups in common.

    pytest-xdist assigns one part to every worker, the smaller ones first, and lets idle workers
    steal from others. Within a part the items keep their order.

    Args:
        items: The items, the most urgent first.
        workers: The number of parts.
        group: Returns a number; items with the same one are dealt to few workers.
    """
    places = sorted(range(len(items)), key=lambda place: group(items[place]))
    dealt: list[list[T]] = []
    for worker in range(workers):
        size = len(places) // (workers - worker)
        part, places = places[:size], places[size:]
        dealt.append([items[place] for place in sorted(part)])
    return dealt
