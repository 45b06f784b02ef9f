"""Strategies for batches that a memory with a poor key takes for one another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from conformance.numerics.state import Float32
from conformance.strategies.bytestream import ByteReader, composite, integers
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import Palette, cases
from conformance.strategies.shape_grid import Entry
from conformance.strategies.targeted import permutations

MOST = 8.0
"""The largest size of an element; elements are multiples of 1/8, so that in batches of up to 4096
rows the sums of columns and of their squares are exact in float32, whatever the order."""


_ELIDED = Entry(65, 40, 0.9, 1e-5)
"""More than the thousand elements that NumPy prints; a shape of ``FORWARD_SWEEP``."""


class Reordered(NamedTuple):
    """A case with exact sums, and an order of its rows other than their own if N > 1."""

    case: Case
    row_order: list[int]


class Lookalike(NamedTuple):
    """One call: a batch (N, D), whether it evaluates, and whether it refills the last array."""

    x: Float32
    evaluate: bool
    refills: bool


class Lookalikes(NamedTuple):
    """A case, and the calls of the same shape that follow its own."""

    case: Case
    following: list[Lookalike]


@composite
def reordered_cases(reader: ByteReader, palette: Palette) -> Reordered:
    """Cases whose column sums are exact in float32, with an order of the rows."""
    case = _on_grid(reader.draw(cases(palette)))
    order = reader.draw(permutations(len(case.x)))
    if order == sorted(order):
        order.reverse()
    return Reordered(case, order)


@composite
def lookalike_cases(reader: ByteReader, palette: Palette) -> Lookalikes:
    """Cases with two to four more batches, each almost the one before.

    One case in eight has so many elements that NumPy prints some of them only.
    """
    elided = reader.draw(integers(0, 7)) == 7
    case = _on_grid(reader.draw(cases((_ELIDED,) if elided else palette)))
    calls, x = [], case.x
    for _ in range(reader.draw(integers(2, 4))):
        x = _resembling(x, reader)
        evaluate, refills = reader.draw(integers(0, 1)), reader.draw(integers(0, 2))
        calls.append(Lookalike(x, bool(evaluate), refills == 0))
    return Lookalikes(case, calls)


def _on_grid(case: Case) -> Case:
    """Return a case with multiples of 1/8 up to ``MOST``, of its pattern."""
    scale = np.abs(case.x).max(axis=0)
    pattern = case.x / np.where(scale > 0, scale, 1)
    return case.with_x(np.round(pattern * 8 * MOST) / 8)


def _resembling(x: Float32, reader: ByteReader) -> Float32:
    """Return a batch (N, D) that differs from x in one respect."""
    rows, features = x.shape
    row, column = reader.draw(integers(0, rows - 1)), reader.draw(integers(0, features - 1))
    kind = reader.draw(integers(0, 5))
    other = x.copy()
    if kind == 0:
        other[row, column] += 1 if other[row, column] < MOST else -1
    elif kind == 1:  # the sum of the column stays as it is
        other[row, column] += 0.5
        other[row - 1, column] -= 0.5
    elif kind == 2:
        other = -other
    elif kind == 4:  # three decimals stay as they are
        other[row, column] += 2.0**-12
    elif kind == 3:
        other = other[reader.draw(permutations(rows))]
    return other
