"""Float64 values that carry the rounding error of a float32 computation: running error analysis.

An ``Approximate`` is a value and a bound on how far the same quantity, computed in float32,
may be from it. Every operation propagates the bounds of its operands to first order and adds
the rounding error of its result, 2u of it: one u for the operation, one for another order of
evaluation. So each alternative gets a bound without a separate derivation. Errors of the batch
mean and variance come from ``bounds``, because they depend on how sums are computed.

An infinite bound means that nothing is claimed: for 1/√0, for example, where the computed
variance may be slightly above zero.

Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from conformance.numerics.bounds import U

Float64 = npt.NDArray[np.float64]
Operand: TypeAlias = "Approximate | Float64 | float"


class Approximate:
    """A value and the bound on its rounding error, both of the same shape."""

    __slots__ = ("error", "value")
    __array_ufunc__ = None  # so that NumPy leaves mixed operations to this class

    def __init__(self, value: npt.ArrayLike, error: npt.ArrayLike = 0.0) -> None:
        self.value: Float64 = np.asarray(value, np.float64)
        found: Float64 = np.asarray(error, np.float64)
        same = found.shape == self.value.shape  # nearly always, and broadcasting takes longer
        self.error: Float64 = found if same else np.broadcast_to(found, self.value.shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self.value.shape

    @property
    def T(self) -> Approximate:  # noqa: N802  NumPy's name
        """The transpose."""
        return Approximate(self.value.T, self.error.T)

    def __getitem__(self, index: Any) -> Approximate:
        return Approximate(self.value[index], self.error[index])

    def __add__(self, other: Operand) -> Approximate:
        b = exact(other)
        return _computed(self.value + b.value, self.error + b.error)

    __radd__ = __add__

    def __neg__(self) -> Approximate:
        return Approximate(-self.value, self.error)

    def __sub__(self, other: Operand) -> Approximate:
        return self + -exact(other)

    def __rsub__(self, other: Operand) -> Approximate:
        return exact(other) + -self

    def __mul__(self, other: Operand) -> Approximate:
        b = exact(other)
        error = np.abs(self.value) * b.error + np.abs(b.value) * self.error + self.error * b.error
        return _computed(self.value * b.value, _spread(error, self, b))

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Approximate:
        b = exact(other)
        quotient = self.value / b.value
        least = np.maximum(np.abs(b.value) - b.error, 0)
        error = (self.error + np.abs(quotient) * b.error) / least
        return _computed(quotient, _spread(np.where(b.error == 0, self.error / least, error), self))

    def __rtruediv__(self, other: Operand) -> Approximate:
        return exact(other) / self


def exact(value: Operand) -> Approximate:
    """Return an operand as an ``Approximate``; JAX rounds a plain number to float32."""
    if isinstance(value, Approximate):
        return value
    return Approximate(value, abs(value - single(value)) if isinstance(value, float) else 0.0)


def single(value: float) -> float:
    """Return a plain number rounded to float32, for comparisons."""
    return float(np.float32(value)) if abs(value) < _LARGEST else value


_LARGEST = float(np.finfo(np.float32).max)


def _computed(value: Float64, error: Float64) -> Approximate:
    return Approximate(value, error + 2 * U * np.abs(np.where(np.isfinite(value), value, 0)))


def _spread(error: Float64, *operands: Approximate) -> Float64:
    """Return the error, infinite where nothing is claimed of an operand (0·∞ would be NaN).

    Args:
        error: The propagated error.
        *operands: The operands of the operation, of shapes that broadcast to that of ``error``.
    """
    unknown = np.zeros(error.shape, bool)
    for operand in operands:
        unknown = unknown | np.isinf(operand.error)
    return np.where(unknown, np.inf, error)


def zeros_like(a: Approximate) -> Approximate:
    """Return zeros of the same shape."""
    return exact(np.zeros(a.shape))


def root(a: Operand) -> Approximate:
    """Return √a; a square root, or its inverse, has an error of up to 4u."""
    a = exact(a)
    value = np.sqrt(a.value)
    low = np.sqrt(np.maximum(a.value - a.error, 0))
    high = np.sqrt(np.maximum(a.value + a.error, 0))
    error = np.maximum(high - value, value - low)
    return Approximate(value, np.where(np.isinf(a.error), np.inf, error + 4 * U * np.abs(value)))


def absolute(a: Operand) -> Approximate:
    """Return |a|."""
    a = exact(a)
    return Approximate(np.abs(a.value), a.error)


def maximum(a: Operand, b: Operand) -> Approximate:
    """Return the larger of two; its error is at most the larger of theirs."""
    a, b = exact(a), exact(b)
    return Approximate(np.maximum(a.value, b.value), np.maximum(a.error, b.error))


def minimum(a: Operand, b: Operand) -> Approximate:
    """Return the smaller of two."""
    return -maximum(-exact(a), -exact(b))


def clip(a: Operand, low: float, high: float) -> Approximate:
    """Return a, limited to [low, high]; NaN stays NaN."""
    return minimum(maximum(a, low), high)


def where(condition: Any, a: Operand, b: Operand) -> Approximate:
    """Return a or b, by a condition on exactly known values."""
    a, b = exact(a), exact(b)
    return Approximate(np.where(condition, a.value, b.value), np.where(condition, a.error, b.error))


def map_values(function: Callable[[Float64], Any], a: Operand) -> Approximate:
    """Return a monotone function of a, such as rounding to few digits."""
    a = exact(a)
    value = np.asarray(function(a.value), np.float64)
    high = np.abs(np.asarray(function(a.value + a.error), np.float64) - value)
    low = np.abs(np.asarray(function(a.value - a.error), np.float64) - value)
    error = np.where(np.isinf(a.error), np.inf, np.fmax(high, low))
    return Approximate(value, error)


def rearrange(function: Callable[[Float64], Float64], a: Operand) -> Approximate:
    """Return a with its elements moved, repeated or dropped."""
    a = exact(a)
    return Approximate(function(a.value), function(a.error))


def total(a: Operand, axis: int | None = None) -> Approximate:
    """Return the sum over an axis; the error of n terms is at most n·u·Σ|a|.

    Args:
        a: The summands, of any shape.
        axis: The axis, which keeps length 1; None sums over all axes.
    """
    a = exact(a)
    count = a.value.size if axis is None else a.shape[axis]
    size = np.abs(a.value).sum(axis=axis, keepdims=True)
    error = a.error.sum(axis=axis, keepdims=True) + (count + 2) * U * size
    return Approximate(a.value.sum(axis=axis, keepdims=True), error)


def average(a: Operand, axis: int | None = None) -> Approximate:
    """Return the mean over an axis.

    Args:
        a: The values, of any shape.
        axis: The axis, which keeps length 1; None averages over all axes.
    """
    a = exact(a)
    count = a.value.size if axis is None else a.shape[axis]
    return total(a, axis) / float(count)
