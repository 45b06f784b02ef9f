"""The type of a bound, and the constants that all bounds share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.numerics.dtypes import ROUNDOFF

Float64 = npt.NDArray[np.float64]

U = ROUNDOFF["float32"]
"""Unit roundoff of float32 with rounding to nearest."""

SECOND_ORDER = 1.05
FLUSHED = 4 * 2.0**-126
"""Subnormal float32 results may be flushed to zero; a few of them may meet in one value."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The largest error allowed, and the largest one that needs no declared deviation.

    Attributes:
        allowed: The largest error allowed, in the shape and the unit of the quantity.
        strict: The largest error without declared deviations; ``strict <= allowed``.
    """

    allowed: Float64
    strict: Float64

    @classmethod
    def of(cls, strict: Float64, wider: Float64 | None = None) -> Bound:
        """Return the bound that first-order bounds amount to, with the terms of higher order.

        Args:
            strict: The first-order bound without declared deviations, in the quantity's shape.
            wider: The one with declared deviations, of the same shape; None if it is the same.
        """
        done = strict * SECOND_ORDER + FLUSHED
        if wider is None or wider is strict:
            return cls(done, done)
        return cls(np.maximum(done, wider * SECOND_ORDER + FLUSHED), done)

    def __add__(self, other: Bound) -> Bound:
        """Return the bound on the difference of two computed values."""
        return Bound(self.allowed + other.allowed, self.strict + other.strict)

    def scaled(self, factor: float) -> Bound:
        """Return the bound on a multiple of the quantity."""
        return Bound(self.allowed * abs(factor), self.strict * abs(factor))

    def only(self, where: npt.NDArray[np.bool_]) -> Bound:
        """Return the bound with no limit for the elements that are not to be compared.

        Args:
            where: The elements to compare, in the shape of the bound.
        """
        return Bound(np.where(where, self.allowed, np.inf), np.where(where, self.strict, np.inf))

    def mean(self) -> Bound:
        """Return the bound on the mean over axis 0: errors may all have one sign."""
        return Bound(self.allowed.mean(axis=0), self.strict.mean(axis=0))

    def of_square(self, value: Float64) -> Bound:
        """Return the bound on the square of a quantity: (q+e)² − q² ≤ 2|q|e + e².

        Args:
            value: q, in the shape of the bound.
        """
        return Bound(
            2 * np.abs(value) * self.allowed + self.allowed**2,
            2 * np.abs(value) * self.strict + self.strict**2,
        )

    def __getitem__(self, index: Any) -> Bound:
        """Return the bound for a part of the quantity, or for its elements reordered."""
        return Bound(self.allowed[index], self.strict[index])
