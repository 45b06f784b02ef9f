"""Forward-error bounds for the statistics of a batch.

Notation as in the package: u, N, h = N−1, μ, v, σ = √v, A = mean|x|; e_q is the bound on the error
of a computed quantity q.

Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, chapters 3 and 4; Chan,
Golub & LeVeque 1983 for the variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conformance.numerics import oracle
from conformance.numerics.bounds.accuracy import Bound, Float64, U
from conformance.numerics.conventions import STRICT, Conventions


def statistics(
    x: npt.ArrayLike, conventions: Conventions = STRICT, *, u: float = U
) -> tuple[Bound, Bound]:
    """Return the bounds for the batch mean and the batch variance, each (D,).

    Args:
        x: The batch, (N, D).
        conventions: They say whether a variance in one pass is admitted.
        u: The unit roundoff of the arithmetic.
    """
    return errors_of(moments(oracle.float64(x)), conventions, u)


def errors_of(of: Moments, conventions: Conventions = STRICT, u: float = U) -> tuple[Bound, Bound]:
    """Return the bounds for the batch mean and the batch variance, each (D,), from the moments."""
    strict = _variance_error(of, u)
    e_mean = Bound.of(_mean_error(of, u))
    if not conventions.admits_one_pass():
        return e_mean, Bound.of(strict)
    return e_mean, Bound.of(strict, np.maximum(strict, _one_pass_error(of, u)))


@dataclass(frozen=True, slots=True)
class Moments:
    """The quantities that the bounds for statistics depend on, per feature: (D,) each.

    Attributes:
        rows: N.
        mean: μ.
        var: v.
        size: A = mean|x|.
        first: c = x[0].
        spread: mean|x−c|.
    """

    rows: int
    mean: Float64
    var: Float64
    size: Float64
    first: Float64
    spread: Float64

    def shifted(self) -> Moments:
        """Return the moments of x − c."""
        nothing = np.zeros_like(self.first)
        return Moments(
            self.rows, self.mean - self.first, self.var, self.spread, nothing, self.spread
        )


def moments(x: Float64) -> Moments:
    """Return the moments, (D,) each, of a batch x, (N, D)."""
    mean, var = oracle.statistics(x)
    first = x[0]
    size, spread = np.abs(x).mean(axis=0), np.abs(x - first).mean(axis=0)
    return Moments(len(x), mean, var, size, first, spread)


def perturbed_statistics(var: Float64, error: Bound) -> tuple[Bound, Bound]:
    """Return how far the statistics move, (D,), if each x_i moves by δ_i with |δ_i| ≤ e_i.

    |Δμ| ≤ mean(e), and since √(N·v) is the norm of x−μ, and centring lengthens no vector,
    |Δ√v| ≤ rms(e), hence |Δv| ≤ 2σ·rms(e) + rms(e)².

    Args:
        var: v, (D,).
        error: e, (N, D).
    """

    def of_var(e: Float64) -> Float64:
        rms = np.sqrt(np.square(e).mean(axis=0))
        moved: Float64 = 2 * np.sqrt(var) * rms + rms**2
        return moved

    return error.mean(), Bound(of_var(error.allowed), of_var(error.strict))


def mean_error(x: Float64, u: float = U) -> Float64:
    """Return e_μ, the bound on the error of a computed mean, (D,).

    A sum of N numbers, in any order, errs by at most h·u·Σ|x|; the division, or the product
    with a rounded 1/N, adds two roundings, and one is in reserve: e_μ ≤ (h+3)·u·A.
    A mean that is shifted by c = x[0] errs by (h+5)·u·mean|x−c| + 2u|μ| + u|c|. The larger of
    the two admits both. N = 1: a sum of one number is exact.

    Args:
        x: The batch, (N, D).
        u: The unit roundoff of the arithmetic.
    """
    return _mean_error(moments(x), u)


def _mean_error(of: Moments, u: float) -> Float64:
    h = of.rows - 1
    if h == 0:
        return np.zeros_like(of.mean)
    plain = (h + 3) * u * of.size
    shifted = (h + 5) * u * of.spread + 2 * u * np.abs(of.mean) + u * np.abs(of.first)
    larger: Float64 = np.maximum(plain, shifted)
    return larger


def variance_error(x: Float64, u: float = U) -> Float64:
    """Return e_v for the algorithms that keep the digits of the variance, (D,).

    Two passes, mean((x−μ̂)²): squares and their sum give (h+8)·u·v. If every row subtracts
    the same μ̂, the rest is exactly (μ̂−μ)². A compiler may fuse the sum into x−mean and
    round it differently per block of rows: row i subtracts μ+d_i, and
    mean((x−μ−d)²) = v − (2/N)·Σ(x_i−μ)·d_i + mean(d²), where the middle term is at most
    2σ·max|d_i−d_j| ≤ 4σ·e_μ. Hence e_v ≤ (h+8)·u·v + (1+(h+8)u)·e_μ² + 4σ·e_μ.

    Updating (Welford, pairwise merges): e_v ≤ (h+8)·u·(v + 2σ·√(v+μ²)) + 2e_μ².

    Shifted by c = x[0]: the one-pass bound for x−c, plus 2u per datum. |μ−c| ≤ √N·σ, so this
    differs from the others only if the first row is an outlier.

    Each is a correct algorithm, so the largest of the three is the bound.

    Args:
        x: The batch, (N, D).
        u: The unit roundoff of the arithmetic.
    """
    return _variance_error(moments(x), u)


def _variance_error(of: Moments, u: float) -> Float64:
    h = of.rows - 1
    mean, var, std = of.mean, of.var, np.sqrt(of.var)
    e_mean = _mean_error(of, u)
    two_pass = (h + 8) * u * var + (1 + (h + 8) * u) * e_mean**2 + 4 * std * e_mean
    updating = (h + 8) * u * (var + 2 * std * np.sqrt(var + mean**2)) + 2 * e_mean**2
    shifted = _one_pass_error(of.shifted(), u) + 4 * u * var
    largest: Float64 = np.maximum(np.maximum(two_pass, updating), shifted)
    return largest


def one_pass_error(x: Float64, u: float = U) -> Float64:
    """Return e_v for max(0, E[x²] − E[x]²), (D,).

    E[x²] errs by (h+6)·u·(v+μ²), the square of the mean by 2|μ|e_μ + e_μ² and its roundings,
    and the difference keeps all of it: e_v ≤ (h+6)·u·(v+μ²) + 2|μ|e_μ + e_μ² + 3u·μ².
    All digits are gone when (|μ|/σ)²·u·(3h+15) ≥ 1. Clamping at 0 never adds to the error.

    Args:
        x: The batch, (N, D).
        u: The unit roundoff of the arithmetic.
    """
    return _one_pass_error(moments(x), u)


def _one_pass_error(of: Moments, u: float) -> Float64:
    h = of.rows - 1
    e_mean = _mean_error(of, u)
    square = of.mean**2
    of_squares = (h + 6) * u * (of.var + square) + 3 * u * square
    error: Float64 = of_squares + 2 * np.abs(of.mean) * e_mean + e_mean**2
    return error
