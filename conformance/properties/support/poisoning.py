"""NaN and infinities in a batch, which must neither spread nor be hidden."""

from __future__ import annotations

import numpy as np

from conformance.strategies.bytestream import ByteStrategy, integers
from conformance.strategies.case import Case
from conformance.strategies.shape_grid import Entry

POISONS = (None, np.nan, np.inf, -np.inf)
"""The values that replace a row; in one case in four it stays as it is."""


def poisons(_: tuple[Entry, ...]) -> ByteStrategy[int]:
    """Return what draws one of the poisons."""
    return integers(0, len(POISONS) - 1)


def with_nan(case: Case, column: int) -> tuple[Case, int]:
    """Return the case with a NaN in the first row of a feature, and the index of that feature.

    Args:
        case: The case, whose x is (N, D).
        column: The index of the feature, modulo D.
    """
    poisoned, column = case.x.copy(), column % case.config.features
    poisoned[0, column] = np.nan
    return case.with_x(poisoned), column


def with_row(case: Case, row: int, poison: int) -> tuple[Case, str]:
    """Return the case with a row replaced by one of the poisons, and a phrase that describes it.

    Args:
        case: The case, whose x is (N, D).
        row: The index of the row, modulo N.
        poison: The index into ``POISONS``.
    """
    value, row = POISONS[poison], row % len(case.x)
    if value is None:
        return case, ""
    poisoned = case.x.copy()
    poisoned[row] = value
    return case.with_x(poisoned), f" where row {row} of x is {value}"


def beside(case: Case, row: int, poison: int) -> tuple[Case, str]:
    """Return the case with one of the poisons in the next row, if there is more than one.

    Args:
        case: The case, whose x is (N, D).
        row: The index of the row before the one to replace, modulo N.
        poison: The index into ``POISONS``.
    """
    return with_row(case, row + 1, poison) if len(case.x) > 1 else (case, "")
