"""Forward-error bounds for the statistics, the output and the running statistics.

Notation as in the package: u, N, h = N−1, μ, v, σ = √v, A = mean|x|, w = v + ε, r = 1/√w,
z = (x−μ)·r; e_q is the bound on the error of a computed quantity q.

Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, chapters 3 and 4; Chan,
Golub & LeVeque 1983 for the variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance import conventions, oracle
from conformance.bounds.model import FLUSHED, Accuracy, Bound, Float64, unit
from conformance.case import State
from conformance.implementation import Config


@dataclass(frozen=True, slots=True)
class TrainingBounds:
    """Bounds for the results of one training call, by the names of ``oracle.Training``."""

    mean: Bound
    var: Bound
    y: Bound
    running_mean: Bound
    running_var: Bound


def train(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    accuracy: Accuracy,
    errors: tuple[Bound, Bound] | None = None,
) -> TrainingBounds:
    """Return the bounds for a training call on ``x`` starting from ``state``.

    ``errors``: the bounds for mean and variance, if they are not those of ``statistics``.
    """
    x64 = np.asarray(x, np.float64)
    truth = oracle.train(config, state, x64)
    e_mean_bound, e_var_bound = errors or statistics(x64, accuracy)
    e_mean, strict, wider = e_mean_bound.strict, e_var_bound.strict, e_var_bound.allowed

    share = conventions.share_stored(len(x64))

    def running(old: npt.ArrayLike, new: Float64, e_new: Float64) -> Float64:
        return ema_error(config.momentum, np.zeros_like(new), e_new, old, new, state.count)

    def running_var(e_var: Float64) -> Float64:
        return running(state.running_var, truth.var * share, e_var * share)

    def output(e_var: Float64) -> Float64:
        if not conventions.normalises_with_average():
            return output_error(x64, truth.mean, truth.var, e_mean, e_var, config.eps, state)
        error = running(state.running_mean, truth.mean, e_mean)
        average = (truth.running_mean, truth.running_var, error, running_var(e_var))
        return output_error(x64, *average, config.eps, state)

    def of_both(error: Callable[[Float64], Float64]) -> Bound:
        return Bound.of(error(strict), None if wider is strict else error(wider))

    return TrainingBounds(
        mean=e_mean_bound,
        var=e_var_bound,
        y=of_both(output),
        running_mean=Bound.of(running(state.running_mean, truth.mean, e_mean)),
        running_var=of_both(running_var),
    )


def evaluate(config: Config, state: State, x: npt.ArrayLike) -> Bound:
    """Return the bound for an evaluation call: the statistics are given, so e_μ = e_v = 0."""
    x64 = np.asarray(x, np.float64)
    mean = state.running_mean.astype(np.float64)
    var = state.running_var.astype(np.float64)
    exact = np.zeros_like(mean)
    return Bound.of(output_error(x64, mean, var, exact, exact, config.eps, state))


def statistics(x: npt.ArrayLike, accuracy: Accuracy) -> tuple[Bound, Bound]:
    """Return the bounds for the batch mean and the batch variance, each (D,)."""
    of = moments(np.asarray(x, np.float64))
    strict = _variance_error(of)
    e_mean = Bound.of(_mean_error(of))
    if accuracy is Accuracy.STABLE:
        return e_mean, Bound.of(strict)
    return e_mean, Bound.of(strict, np.maximum(strict, _one_pass_error(of)))


@dataclass(frozen=True, slots=True)
class Moments:
    """What the bounds for statistics are made of, per feature: (D,) each.

    ``mean``: μ; ``var``: v; ``size``: A = mean|x|; ``first``: c = x[0]; ``spread``: mean|x−c|.
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
    """Return the moments of a batch, (N, D)."""
    mean, var = oracle.statistics(x)
    first = x[0]
    size, spread = np.abs(x).mean(axis=0), np.abs(x - first).mean(axis=0)
    return Moments(len(x), mean, var, size, first, spread)


def perturbed_statistics(var: Float64, error: Bound) -> tuple[Bound, Bound]:
    """Return how far the statistics move, (D,), if each x_i moves by δ_i with |δ_i| ≤ e_i.

    |Δμ| ≤ mean(e), and since √(N·v) is the norm of x−μ, and centring lengthens no vector,
    |Δ√v| ≤ rms(e), hence |Δv| ≤ 2σ·rms(e) + rms(e)².
    """

    def of_var(e: Float64) -> Float64:
        rms = np.sqrt(np.square(e).mean(axis=0))
        moved: Float64 = 2 * np.sqrt(var) * rms + rms**2
        return moved

    return error.mean(), Bound(of_var(error.allowed), of_var(error.strict))


def mean_error(x: Float64) -> Float64:
    """Return e_μ, the bound on the error of a computed mean, (D,).

    A sum of N numbers, in any order, errs by at most h·u·Σ|x|; the division, or the product
    with a rounded 1/N, adds two roundings, and one is in reserve: e_μ ≤ (h+3)·u·A.
    A mean that is shifted by c = x[0] errs by (h+5)·u·mean|x−c| + 2u|μ| + u|c|. The larger of
    the two admits both. N = 1: a sum of one number is exact.
    """
    return _mean_error(moments(x))


def _mean_error(of: Moments) -> Float64:
    u, h = unit(), of.rows - 1
    if h == 0:
        return np.zeros_like(of.mean)
    plain = (h + 3) * u * of.size
    shifted = (h + 5) * u * of.spread + 2 * u * np.abs(of.mean) + u * np.abs(of.first)
    larger: Float64 = np.maximum(plain, shifted)
    return larger


def variance_error(x: Float64) -> Float64:
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
    """
    return _variance_error(moments(x))


def _variance_error(of: Moments) -> Float64:
    u, h = unit(), of.rows - 1
    mean, var, std = of.mean, of.var, np.sqrt(of.var)
    e_mean = _mean_error(of)
    two_pass = (h + 8) * u * var + (1 + (h + 8) * u) * e_mean**2 + 4 * std * e_mean
    updating = (h + 8) * u * (var + 2 * std * np.sqrt(var + mean**2)) + 2 * e_mean**2
    shifted = _one_pass_error(of.shifted()) + 4 * u * var
    largest: Float64 = np.maximum(np.maximum(two_pass, updating), shifted)
    return largest


def one_pass_error(x: Float64) -> Float64:
    """Return e_v for max(0, E[x²] − E[x]²), (D,).

    E[x²] errs by (h+6)·u·(v+μ²), the square of the mean by 2|μ|e_μ + e_μ² and its roundings,
    and the difference keeps all of it: e_v ≤ (h+6)·u·(v+μ²) + 2|μ|e_μ + e_μ² + 3u·μ².
    All digits are gone when (|μ|/σ)²·u·(3h+15) ≥ 1. Clamping at 0 never adds to the error.
    """
    return _one_pass_error(moments(x))


def _one_pass_error(of: Moments) -> Float64:
    u, h = unit(), of.rows - 1
    e_mean = _mean_error(of)
    square = of.mean**2
    of_squares = (h + 6) * u * (of.var + square) + 3 * u * square
    error: Float64 = of_squares + 2 * np.abs(of.mean) * e_mean + e_mean**2
    return error


def inverse_root_error(var: Float64, e_var: Float64, eps: float) -> Float64:
    """Return ρ, the relative error of a computed r = 1/√(var+ε), (D,).

    The computed w lies in [max(w−e_v, ε), w+e_v], since no admissible variance is negative.
    An inverse square root errs by up to 4u (3.4u measured on XLA CPU, where a/√b becomes
    a·rsqrt(b)), so r errs by the relative ρ = max(√(w/w_lo)−1, 1−√(w/w_hi)) + 4u.
    """
    u = unit()
    w = var + eps
    low = np.sqrt(w / np.maximum(w - e_var, eps)) - 1
    high = 1 - np.sqrt(w / (w + e_var))
    rho: Float64 = np.maximum(low, high) + 4 * u
    return rho


def output_error(
    x: Float64,
    mean: Float64,
    var: Float64,
    e_mean: Float64,
    e_var: Float64,
    eps: float,
    state: State,
) -> Float64:
    """Return e_y for y = γ·(x−mean)/√(var+ε) + β, (N, D).

    With the relative error ρ of r, e_z ≤ |z|·(ρ+3u) + e_μ·r·(1+ρ).
    Direct form, γ·z + β in any association: e_y ≤ |γ|·e_z·(1+4u) + 2u·(|γz|+|β|+|y|).
    Fused form, x·s + (β−μ·s) with s = γ·r, is correct too and rounds x·s and μ·s, which may be
    far larger than z: it adds |γ|·r·(1+ρ)·u·(2|x|+3|μ|) + 2u|β|.
    An output that is declared to have 16 bits may be made of z, γ and β rounded to them, with the
    product and the sum rounded as well: u₁₆·(3|γz| + |β| + |y|) more. In float16 each of the five
    may be off by half the spacing s of its smallest numbers instead, s/2·(|z| + |γ| + 3) more, and
    where z, γ, β or one of the results may overflow, no error is too large.
    """
    u = unit()
    gamma = np.abs(state.gamma.astype(np.float64))
    beta = np.abs(state.beta.astype(np.float64))
    r = 1 / np.sqrt(var + eps)
    rho = inverse_root_error(var, e_var, eps)
    z = (x - mean) * r
    y = oracle.affine(z, state)
    e_z = np.abs(z) * (rho + 3 * u) + e_mean * r * (1 + rho)
    direct = gamma * e_z * (1 + 4 * u) + 2 * u * (gamma * np.abs(z) + beta + np.abs(y))
    fused = gamma * r * (1 + rho) * u * (2 * np.abs(x) + 3 * np.abs(mean)) + 2 * u * beta
    flushed = gamma * r * FLUSHED
    u16 = conventions.output_roundoff()
    narrow = (1 + u16) * u16 * (3 * gamma * np.abs(z) + beta + np.abs(y))
    narrow = narrow + conventions.output_spacing() / 2 * (np.abs(z) + gamma + 3)
    total: Float64 = direct + fused + flushed + narrow
    largest = np.maximum(np.abs(z), 1) * np.maximum(gamma, 1) + beta + total
    unlimited: Float64 = np.where(largest > conventions.largest_output(), np.inf, total)
    return unlimited


def ema_error(
    momentum: float,
    e_old: Float64,
    e_new: Float64,
    old: npt.ArrayLike,
    new: Float64,
    count: Any = None,
) -> Float64:
    """Return the bound after one update m·old + (1−m)·new, (D,).

    e ≤ m·e_old + (1−m)·e_new + 5u·max(|old|, |new|) covers both m·r+(1−m)·b and r+(1−m)(b−r),
    with 1−m taken in any precision. Scaling the last term by m·|old|+(1−m)·|new| instead
    would be wrong: float32(1−m) breaks that, and the second form is unbounded there.

    ``count`` updates came before, which matters for declared deviations alone. A zero-debiased
    average after t updates is a sum that errs by those 5u, divided by 1−mᵗ; m itself is rounded,
    which moves mᵗ by t·u·mᵗ, the power errs by 4u·mᵗ, and two operations follow. This counts
    twice where the average is moved by (1−m)/(1−mᵗ)·(b−r), so that in all
    e ≤ … + u·max(|old|, |new|)·(5 + 2(t+6)·mᵗ)/(1−mᵗ), which is the above where mᵗ is 0.
    Statistics that are declared to have 16 bits may be averaged in them: then u is theirs. In
    float16 four roundings, of b, of both products and of the sum, may be by half its spacing s.
    """
    u = unit()
    size = np.maximum(np.abs(np.asarray(old, np.float64)), np.abs(new))
    kept = conventions.weight_of_old(momentum, count)
    roundings = conventions.roundings(momentum, count) * max(u, conventions.stored_roundoff())
    spaced = 2 * conventions.stored_spacing()
    error: Float64 = kept * e_old + (1 - kept) * e_new + roundings * size + spaced
    return error
