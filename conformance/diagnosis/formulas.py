"""The formulas of Batch Normalization on numbers that carry their rounding error.

Each bound holds for every correct way to compute the quantity, not only for the one written here.
Letters as in the oracle: x is (N, D); everything else is (D,), except z and y, (N, D).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64, average
from conformance.numerics import bounds
from conformance.numerics.bounds import U
from conformance.numerics.conventions import Conventions


def batch_mean(x: Approximate, conventions: Conventions) -> Approximate:
    """Return μ, (D,), with the bound of any order of summation, plus the error of x itself.

    Args:
        x: The batch, (N, D).
        conventions: What the implementation declares.
    """
    known = _of_batch(x.value, conventions)
    error = np.where(np.isfinite(known.mean), known.mean_error + x.error.mean(axis=0), 0)
    return Approximate(known.mean, 1.05 * error)


def mean_square(x: Approximate) -> Approximate:
    """Return mean(x²), (D,), of x, (N, D)."""
    return average(x * x, 0)[0]


def batch_var(x: Approximate, mean: Approximate, conventions: Conventions) -> Approximate:
    """Return mean((x−mean)²), (D,), around a mean that a mistake may have moved.

    Args:
        x: The batch, (N, D).
        mean: The mean, (D,).
        conventions: What the implementation declares.
    """
    known = _of_batch(x.value, conventions)
    var = np.square(x.value - mean.value).mean(axis=0)
    moved = np.abs(mean.value - known.mean)
    excess = np.maximum(mean.error, x.error.mean(axis=0))
    more = 2 * moved * excess + x.shape[0] * U * np.abs(var)
    more = more + 2 * np.sqrt(known.var) * x.error.max(axis=0)
    return Approximate(var, np.where(np.isfinite(var), known.var_error + more, 0))


class _Statistics(NamedTuple):
    mean: Float64
    var: Float64
    mean_error: Float64
    var_error: Float64


def _of_batch(x: Float64, conventions: Conventions) -> _Statistics:
    return _of_bytes(x.tobytes(), x.shape, conventions)


@lru_cache(maxsize=512)
def _of_bytes(raw: bytes, shape: tuple[int, ...], conventions: Conventions) -> _Statistics:
    """Return all that depends on the batch alone, cached because the same few batches recur."""
    x = np.frombuffer(raw, np.float64).reshape(shape)
    mean = x.mean(axis=0)
    var = np.square(x - mean).mean(axis=0)
    var_error = bounds.statistics(x, conventions)[1].allowed
    return _Statistics(mean, var, bounds.mean_error(x), var_error)


def unbiased(var: Approximate, rows: int) -> Approximate:
    """Return v·N/(N−1), (D,); unchanged for a single row."""
    return var * (rows / (rows - 1.0)) if rows > 1 else var


def moving_average(
    old: Approximate,
    new: Approximate,
    kept: float,
    *,
    momentum: float,
    count: Any,
    conventions: Conventions,
) -> Approximate:
    """Return kept·old + (1−kept)·new, (D,), computed in either of its two forms.

    Args:
        old: The running statistic before, (D,).
        new: The statistic of the batch, (D,).
        kept: The weight of ``old``.
        momentum: The momentum of the layer, on which the bound depends.
        count: The number of updates before, None where it does not matter.
        conventions: What the implementation declares.
    """
    size = np.maximum(np.abs(old.value), np.abs(new.value))
    value = kept * old.value + (1 - kept) * new.value
    error = abs(kept) * old.error + abs(1 - kept) * new.error
    finite = np.where(np.isfinite(size), size, 0)
    error = error + bounds.averaging_error(momentum, finite, U, count, conventions)
    return Approximate(value, np.where(size > conventions.largest_stored(), np.inf, error))


def add_eps(var: Approximate, eps: float | Float64) -> Approximate:
    """Return var + eps, (D,); no error is claimed for an infinite or undefined variance."""
    value = var.value + eps
    error = np.where(np.isinf(var.error), np.inf, var.error + U * np.abs(value))
    return Approximate(value, np.where(np.isfinite(value), error, 0))


def normalize(x: Approximate, mean: Approximate, r: Approximate) -> Approximate:
    """Return z = (x−mean)·r, (N, D); x·r − mean·r is also correct, and rounds both products.

    Args:
        x: The batch, (N, D).
        mean: The mean, of a shape that broadcasts to (N, D).
        r: 1/√(var+ε), of the shape of ``mean``.
    """
    z = (x - mean) * r
    fused = U * np.abs(r.value) * (2 * np.abs(x.value) + 3 * np.abs(mean.value))
    return Approximate(z.value, z.error + np.where(np.isfinite(fused), fused, 0))


def affine(
    z: Approximate, scale: Approximate, shift: Approximate, conventions: Conventions
) -> Approximate:
    """Return scale·z + shift, (N, D); in 16 bits all five numbers may be rounded.

    Args:
        z: The normalized batch, (N, D).
        scale: γ, (D,).
        shift: β, (D,).
        conventions: What the implementation declares.
    """
    y: Approximate = scale * z + shift
    if not conventions.output_roundoff():
        return y
    gamma, beta = np.abs(scale.value), np.abs(shift.value)
    narrow = bounds.narrow_error(z.value, gamma, beta, y.value, conventions)
    error = y.error + np.where(np.isfinite(narrow), narrow, 0)
    beyond = bounds.may_overflow(z.value, gamma, beta, error, conventions)
    return Approximate(y.value, np.where(beyond, np.inf, error))
