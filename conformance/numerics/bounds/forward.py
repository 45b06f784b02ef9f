"""Forward-error bounds for the output and the running statistics.

Notation as in the package: u, N, h = N−1, μ, v, σ = √v, A = mean|x|, w = v + ε, r = 1/√w,
z = (x−μ)·r; e_q is the bound on the error of a computed quantity q. x, z and y are (N, D);
statistics, γ, β and r are (D,); errors have the shape of their quantity.

Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, chapters 3 and 4; Chan,
Golub & LeVeque 1983 for the variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics import oracle
from conformance.numerics.bounds.accuracy import FLUSHED, Bound, Float64, U
from conformance.numerics.bounds.moments import errors_of, moments, statistics
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State


@dataclass(frozen=True, slots=True)
class TrainingBounds:
    """Bounds for the results of one training call: y, (N, D), and four statistics, (D,)."""

    mean: Bound
    var: Bound
    y: Bound
    running_mean: Bound
    running_var: Bound


def train(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    conventions: Conventions = STRICT,
    *,
    errors: tuple[Bound, Bound] | None = None,
    u: float = U,
) -> TrainingBounds:
    """Return the bounds for a training call starting from ``state``.

    Args:
        config: Momentum and ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        conventions: The conventions that the layer declares.
        errors: The bounds for mean and variance, (D,), if not those of ``statistics``.
        u: The unit roundoff of the arithmetic.
    """
    x64 = oracle.float64(x)
    if conventions.always_evaluates():
        return _train_frozen(config, state, x64, conventions, u)
    if errors:
        mean, var = oracle.statistics(x64)
    else:
        of = moments(x64)
        (mean, var), errors = (of.mean, of.var), errors_of(of, conventions, u)
    e_mean_bound, e_var_bound = errors
    e_mean, strict, wider = e_mean_bound.strict, e_var_bound.strict, e_var_bound.allowed
    share = conventions.share_stored(len(x64))

    def running(old: npt.ArrayLike, new: Float64, e_new: Float64) -> Float64:
        exact = np.zeros_like(new)
        return ema_error(config.momentum, exact, e_new, old, new, state.count, conventions, u=u)

    def running_var(e_var: Float64) -> Float64:
        return running(state.running_var, var * share, e_var * share)

    def output(e_var: Float64) -> Float64:
        if not conventions.normalises_with_average():
            return output_error(x64, mean, var, e_mean, e_var, config.eps, state, conventions, u=u)
        truth = oracle.train(config, state, x64, conventions)
        error = running(state.running_mean, mean, e_mean)
        average = (truth.running_mean, truth.running_var, error, running_var(e_var))
        return output_error(x64, *average, config.eps, state, conventions, u=u)

    def of_both(error: Callable[[Float64], Float64]) -> Bound:
        return Bound.of(error(strict), None if wider is strict else error(wider))

    unmoved = Bound.of(np.zeros_like(mean))
    moves = conventions.moves_statistics()
    of_mean = Bound.of(running(state.running_mean, mean, e_mean)) if moves else unmoved
    return TrainingBounds(
        mean=e_mean_bound,
        var=e_var_bound,
        y=of_both(output),
        running_mean=of_mean,
        running_var=of_both(running_var) if moves else unmoved,
    )


def _train_frozen(
    config: Config, state: State, x: Float64, conventions: Conventions, u: float
) -> TrainingBounds:
    """Return the bounds for a training call that evaluates, and moves nothing."""
    mean, var = statistics(x, conventions, u=u)
    unmoved = Bound.of(np.zeros(x.shape[1]))
    y = evaluate(config, state, x, conventions, u=u)
    return TrainingBounds(mean, var, y, unmoved, unmoved)


def evaluate(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    conventions: Conventions = STRICT,
    *,
    u: float = U,
) -> Bound:
    """Return the bound for y of an evaluation call, (N, D): as statistics are read, e_μ = e_v = 0.

    The arguments are those of ``train``.
    """
    if conventions.always_trains():
        return train(config, state, x, conventions, u=u).y
    x64 = oracle.float64(x)
    mean = state.running_mean.astype(np.float64)
    var = state.running_var.astype(np.float64)
    exact = np.zeros_like(mean)
    error = output_error(x64, mean, var, exact, exact, config.eps, state, conventions, u=u)
    return Bound.of(error)


def inverse_root_error(var: Float64, e_var: Float64, eps: float, u: float = U) -> Float64:
    """Return ρ, the relative error of a computed r = 1/√(var+ε), (D,).

    The computed w lies in [max(w−e_v, ε), w+e_v], since no admissible variance is negative.
    An inverse square root errs by up to 4u (3.4u measured on XLA CPU, where a/√b becomes
    a·rsqrt(b)), so r errs by the relative ρ = max(√(w/w_lo)−1, 1−√(w/w_hi)) + 4u.
    """
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
    conventions: Conventions = STRICT,
    *,
    u: float = U,
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

    Args:
        x: The batch, (N, D).
        mean: The mean that normalises, (D,).
        var: The variance that normalises, (D,).
        e_mean: e_μ, (D,).
        e_var: e_v, (D,).
        eps: ε.
        state: γ and β, (D,).
        conventions: The conventions that the layer declares.
        u: The unit roundoff of the arithmetic.
    """
    signed_gamma, signed_beta = state.gamma.astype(np.float64), state.beta.astype(np.float64)
    gamma, beta = np.abs(signed_gamma), np.abs(signed_beta)
    r = 1 / np.sqrt(var + eps)
    rho = inverse_root_error(var, e_var, eps, u)
    z = (x - mean) * r
    y = signed_gamma * z + signed_beta
    of_fused = gamma * r * (1 + rho) * u
    total: Float64 = np.abs(z) * (gamma * ((rho + 3 * u) * (1 + 4 * u) + 2 * u))
    total += 2 * u * np.abs(y)
    total += np.abs(x) * (2 * of_fused)
    of_feature = gamma * (e_mean * r * (1 + rho) * (1 + 4 * u) + r * FLUSHED)
    total += of_feature + 4 * u * beta + 3 * of_fused * np.abs(mean)
    if conventions.output_roundoff() or conventions.output_spacing():
        total += narrow_error(z, gamma, beta, y, conventions)
    total[may_overflow(z, gamma, beta, total, conventions)] = np.inf
    return total


def narrow_error(
    z: Float64, gamma: Float64, beta: Float64, y: Float64, conventions: Conventions = STRICT
) -> Float64:
    """Return the error that a declared output of 16 bits adds to y = γ·z + β; see ``output_error``.

    ``gamma`` and ``beta`` are |γ| and |β|.
    """
    u16, spacing = conventions.output_roundoff(), conventions.output_spacing()
    rounded = (1 + u16) * u16 * (3 * gamma * np.abs(z) + beta + np.abs(y))
    error: Float64 = rounded + spacing / 2 * (np.abs(z) + gamma + 3)
    return error


def may_overflow(
    z: Float64, gamma: Float64, beta: Float64, error: Float64, conventions: Conventions = STRICT
) -> npt.NDArray[np.bool_]:
    """Return where y of a declared dtype, or an operand of it, may overflow, given its error."""
    size, gain, limit = np.abs(z), np.maximum(gamma, 1), conventions.largest_output()
    if max(size.max(), 1) * gain.max() + beta.max() + error.max() <= limit:
        return np.zeros(error.shape, np.bool_)  # the usual case, and much faster
    beyond: npt.NDArray[np.bool_] = np.maximum(size, 1) * gain + beta + error > limit
    return beyond


def ema_error(
    momentum: float,
    e_old: Float64,
    e_new: Float64,
    old: npt.ArrayLike,
    new: Float64,
    count: Any = None,
    conventions: Conventions = STRICT,
    *,
    u: float = U,
) -> Float64:
    """Return the bound after one update m·old + (1−m)·new, (D,).

    e ≤ m·e_old + (1−m)·e_new + 6u·max(|old|, |new|) covers m·r+(1−m)·b, r+(1−m)(b−r) and
    b−m(b−r), with m and 1−m rounded. With M = max(|old|, |new|): |b−r| ≤ 2M errs by 2uM; the
    weight w that multiplies it by u/2 where w ≥ ½, so the product by 2wuM + uM + 2wuM; and the sum,
    at most |1−2w|·M, by u of itself: 6wuM for w ≥ ½, less below. Scaling the last term by
    m·|old|+(1−m)·|new| instead would be wrong: float32(1−m) breaks that, and the other forms are
    unbounded there.

    ``count`` updates came before, which matters for declared deviations alone. A zero-debiased
    average after t updates is a sum that errs by those 6u, divided by 1−mᵗ; m itself is rounded,
    which moves mᵗ by t·u·mᵗ, the power errs by 4u·mᵗ, and two operations follow. This counts
    twice where the average is moved by (1−m)/(1−mᵗ)·(b−r), so that in all
    e ≤ … + u·max(|old|, |new|)·(6 + 2(t+6)·mᵗ)/(1−mᵗ), which is the above where mᵗ is 0.
    Statistics that are declared to have 16 bits may be averaged in them: then u is theirs. In
    float16 four roundings, of b, of both products and of the sum, may be by half its spacing s.

    Args:
        momentum: m.
        e_old: The error of the old average, (D,).
        e_new: The error of the new value, (D,).
        old: The old average, (D,).
        new: The new value, (D,).
        count: The number of updates before this one; None stands for any number.
        conventions: The conventions that the layer declares.
        u: The unit roundoff of the arithmetic.
    """
    size = np.maximum(np.abs(np.asarray(old, np.float64)), np.abs(new))
    kept = conventions.weight_of_old(momentum, count)
    averaging = averaging_error(momentum, size, u, count, conventions)
    error: Float64 = kept * e_old + (1 - kept) * e_new + averaging
    return error


def averaging_error(
    momentum: float, size: Float64, u: float, count: Any, conventions: Conventions = STRICT
) -> Float64:
    """Return what the averaging of exact numbers up to ``size`` adds, see ``ema_error``, (D,).

    It is infinite where a declared dtype may overflow.
    """
    roundings = conventions.roundings(momentum, count) * max(u, conventions.stored_roundoff())
    error: Float64 = roundings * size + 2 * conventions.stored_spacing()
    return np.where(size > conventions.largest_stored(), np.inf, error)
