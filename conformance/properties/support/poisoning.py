"""Rows that must not matter to others, and numbers that are not finite, which must not spread."""

from __future__ import annotations

import numpy as np

from conformance.strategies.bytestream import ByteStrategy, integers
from conformance.strategies.case import Case
from conformance.strategies.shape_grid import Entry

STRANGERS = (None, 1e4, 0.0, -1e4)
"""The numbers that replace a row; in one case in four it stays as it is."""

NOT_FINITE = (np.nan, np.inf, -np.inf)


def strangers(_: tuple[Entry, ...]) -> ByteStrategy[int]:
    """Return what draws the index of one of the numbers that replace a row."""
    return integers(0, len(STRANGERS) - 1)


def not_finite(_: tuple[Entry, ...]) -> ByteStrategy[int]:
    """Return what draws the index of a NaN or an infinity."""
    return integers(0, len(NOT_FINITE) - 1)


def with_element(case: Case, place: int, poison: int) -> tuple[Case, int, int, float]:
    """Return the case with one element that is not finite, its row and column, and its value.

    Args:
        case: The case, whose x is (N, D).
        place: The element, counted row by row, modulo N·D.
        poison: The index into ``NOT_FINITE``.
    """
    row, column = divmod(place % case.x.size, case.config.features)
    poisoned = case.x.copy()
    poisoned[row, column] = NOT_FINITE[poison]
    return case.with_x(poisoned), row, column, NOT_FINITE[poison]


def with_row(case: Case, row: int, stranger: int) -> tuple[Case, str]:
    """Return the case with a row replaced by a number, and a phrase that describes it.

    Args:
        case: The case, whose x is (N, D).
        row: The index of the row, modulo N.
        stranger: The index into ``STRANGERS``.
    """
    value, row = STRANGERS[stranger], row % len(case.x)
    if value is None:
        return case, ""
    replaced = case.x.copy()
    replaced[row] = value
    return case.with_x(replaced), f" where row {row} of x is {value}"


def beside(case: Case, row: int, stranger: int) -> tuple[Case, str]:
    """Return the case with the next row replaced, if there is more than one.

    Args:
        case: The case, whose x is (N, D).
        row: The index of the row before the one to replace, modulo N.
        stranger: The index into ``STRANGERS``.
    """
    return with_row(case, row + 1, stranger) if len(case.x) > 1 else (case, "")
