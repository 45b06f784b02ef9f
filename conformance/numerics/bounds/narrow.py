"""Bounds for 16-bit outputs and inputs, and for float64.

u₁₆ is the unit roundoff of the 16-bit dtype: 2⁻⁸ for bfloat16, 2⁻¹¹ for float16.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics import oracle
from conformance.numerics.bounds import forward
from conformance.numerics.bounds.accuracy import Bound, Float64
from conformance.numerics.bounds.backward import batch_of
from conformance.numerics.bounds.forward import TrainingBounds, ema_error
from conformance.numerics.bounds.moments import statistics
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.dtypes import LARGEST_IN_FLOAT16, ROUNDOFF, SPACING_AT_ZERO
from conformance.numerics.state import State


def rounded_output(bound: Bound, z: Float64, y: Float64, state: State, dtype: str) -> Bound:
    """Return the bound of y, (N, D), for an output of another dtype than float32.

    An output of 16 bits may be made of z, γ and β rounded to 16 bits, with the product and the sum
    rounded as well: e ≤ e₃₂ + u₁₆·(3|γz| + |β| + |y|), and in float16 half the spacing of the
    smallest numbers for z, γz and y: (|γ|+2)·2⁻²⁵. The statistics, x−μ and r are float32 in this,
    so a bound that depends on the size of x and μ is that of float32.

    Args:
        bound: The bound of y in float32, (N, D).
        z: (x−μ)·r, (N, D).
        y: The exact output, (N, D).
        state: γ and β, (D,).
        dtype: The name of the dtype of the output.
    """
    if dtype not in SPACING_AT_ZERO:
        return bound
    u = ROUNDOFF[dtype]
    gamma, beta = (np.abs(a.astype(np.float64)) for a in (state.gamma, state.beta))
    rounding = u * (3 * gamma * np.abs(z) + beta + np.abs(y))
    spacing = (gamma + 2) * SPACING_AT_ZERO[dtype] / 2
    return bound + Bound.of((1 + u) * (rounding + spacing))


def representable(z: Float64, y: Float64, bound: Bound, state: State) -> npt.NDArray[np.bool_]:
    """Return where no step towards y, (N, D), can overflow in float16.

    Args:
        z: (x−μ)·r, (N, D).
        y: The exact output, (N, D).
        bound: The bound of y in float32, which a one-pass variance may make large, (N, D).
        state: γ and β, (D,).
    """
    gamma, beta = (np.abs(a.astype(np.float64)) for a in (state.gamma, state.beta))
    error = bound.allowed / np.where(gamma == 0, 1, np.minimum(gamma, 1))
    largest: Float64 = np.maximum(np.maximum(np.abs(z), gamma * np.abs(z)), np.abs(y))
    return np.maximum(largest + error, beta) <= LARGEST_IN_FLOAT16


def narrowed_gradient(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    found: Bound,
    dtype: str,
    conventions: Conventions = STRICT,
) -> tuple[Bound, npt.NDArray[np.bool_]]:
    """Return the bound for dx from x of 16 bits in at least 32, and where it applies.

    It applies where no part can overflow in float16. A layer that converts x to 32 bits once
    rounds dx once. One that converts x k times gets k parts, each rounded to the dtype of x, and
    adds them in that dtype: k roundings of parts of at most
    P = |γ|r·c·(|w| + G₁ + (|z|+R)·(G₂+a·G₁)) together, and k−1 of sums of at most P. With k = 4,
    for Σ, the deviation, its square and the output: 7·u₁₆·P, as well as half the spacing of the
    smallest numbers for each part. In one pass the parts of E[x²] and of μ² cancel, and are
    (|x|+|μ|)·r instead of |z|+R. Letters as in ``conformance.numerics.bounds.backward``.

    Args:
        config: ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        found: The bound for dx in float32, (N, D).
        dtype: The name of the dtype of x.
        conventions: The conventions that the layer declares.

    Returns:
        The bound, (N, D), and where it applies, (N, D).
    """
    x64, w64 = oracle.float64(x), oracle.float64(w)
    mean, var = oracle.statistics(x64)
    e_mean, e_var = statistics(x64, conventions)
    batch = batch_of(x64, w64, mean, var, e_mean.strict, e_var.allowed, config.eps)
    spread = np.abs(batch.z) + np.ptp(x64, axis=0) * batch.r
    if conventions.admits_one_pass():
        spread = np.maximum(spread, 2 * (batch.size + batch.center))
    g = batch.projected + batch.shift * batch.pulled
    parts = np.abs(batch.w) + batch.pulled + (1 + batch.rho) ** 2 * spread * g
    scale = np.abs(state.gamma.astype(np.float64)) * batch.r * (1 + batch.rho)
    sizes = scale * parts + found.allowed
    rounding = (2 * _PARTS - 1) * ROUNDOFF[dtype] * sizes
    limit = found + Bound.of(rounding + _PARTS * SPACING_AT_ZERO[dtype] / 2)
    return limit, sizes <= (LARGEST_IN_FLOAT16 if dtype == "float16" else np.inf)


_PARTS = 4
"""How often x is converted to 32 bits, at most: for its sum, for deviations, and for the output."""


def train_in_float64(
    config: Config, state: State, x: npt.ArrayLike, stored: str, conventions: Conventions = STRICT
) -> TrainingBounds:
    """Return the bounds for a training call in float64 with arrays of the dtype ``stored``.

    The formulas are those of float32 with u = 2⁻⁵³. One rounding is added for the oracle, whose
    decimal result is rounded to float64. Running statistics that are stored as float32 may be
    averaged in float32, too: they err by 5·2⁻²⁴·max(|old|, |new|) more. So does what y is made of
    where training normalises with them.

    Args:
        config: Momentum and ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        stored: The name of the dtype of the running statistics.
        conventions: The conventions that the layer declares.
    """
    found = forward.train(config, state, x, conventions, u=ROUNDOFF["float64"])
    truth = oracle.train(config, state, x, conventions)

    def running(bound: Bound, old: npt.ArrayLike, new: Float64) -> Bound:
        exact = np.zeros_like(new)
        own = Bound.of(ema_error(config.momentum, exact, exact, old, new, conventions=conventions))
        return bound + own if stored == "float32" else bound + once(new)

    running_mean = running(found.running_mean, state.running_mean, truth.mean)
    stored_var = truth.var * conventions.share_stored(len(np.asarray(x)))
    running_var = running(found.running_var, state.running_var, stored_var)
    y = found.y
    if conventions.normalises_with_average() and stored == "float32":
        averages = (truth.running_mean, truth.running_var, running_mean.allowed)
        strict, wider = (
            forward.output_error(
                oracle.float64(x),
                *averages,
                e,
                config.eps,
                state,
                conventions,
                u=ROUNDOFF["float64"],
            )
            for e in (running_var.strict, running_var.allowed)
        )
        y = Bound.of(strict, wider)
    return TrainingBounds(
        mean=found.mean,
        var=found.var,
        y=y + once(truth.y),
        running_mean=running_mean,
        running_var=running_var,
    )


def evaluate_in_float64(
    config: Config, state: State, x: npt.ArrayLike, conventions: Conventions = STRICT
) -> Bound:
    """Return the bound for y of an evaluation call in float64, (N, D).

    The arguments are those of ``train_in_float64``.
    """
    found = forward.evaluate(config, state, x, conventions, u=ROUNDOFF["float64"])
    return found + once(oracle.evaluate(config, state, x))


def once(value: Float64) -> Bound:
    """Return the bound for rounding a value of any shape to float64.

    It is twice the unit roundoff, because the value is computed, too.
    """
    return Bound.of(2 * ROUNDOFF["float64"] * np.abs(value))
