"""Bounds for outputs of 16 bits, and for float64 arithmetic.

u₁₆ is the unit roundoff of the 16-bit dtype: 2⁻⁸ for bfloat16, 2⁻¹¹ for float16.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance import oracle
from conformance.bounds import forward
from conformance.bounds.forward import TrainingBounds, ema_error
from conformance.bounds.model import Accuracy, Bound, Float64, arithmetic
from conformance.case import State
from conformance.conventions import normalises_with_average as by_average
from conformance.implementation import Config
from conformance.layers import STATISTICS
from conformance.oracle import Training

ROUNDOFF = {"bfloat16": 2.0**-8, "float16": 2.0**-11, "float32": 2.0**-24, "float64": 2.0**-53}

_SPACING_AT_ZERO = {"bfloat16": 0.0, "float16": 2.0**-24}
"""Below 2⁻¹⁴ numbers in float16 are evenly spaced; those of bfloat16 end where float32 does."""

LARGEST = 3e4
"""Beyond, something in float16 may overflow: half of what it holds."""


def rounded_output(bound: Bound, z: Float64, y: Float64, state: State, dtype: str) -> Bound:
    """Widen the float32 bound of y, (N, D), for an output of another dtype.

    An output of 16 bits may be made of z, γ and β rounded to 16 bits, with the product and the sum
    rounded as well: e ≤ e₃₂ + u₁₆·(3|γz| + |β| + |y|), and in float16 half the spacing of the
    smallest numbers for z, γz and y: (|γ|+2)·2⁻²⁵. The statistics, x−μ and r are float32 in this,
    so a bound that depends on the size of x and μ is that of float32.
    """
    if dtype not in _SPACING_AT_ZERO:
        return bound
    u = ROUNDOFF[dtype]
    gamma, beta = (np.abs(a.astype(np.float64)) for a in (state.gamma, state.beta))
    rounding = u * (3 * gamma * np.abs(z) + beta + np.abs(y))
    spacing = (gamma + 2) * _SPACING_AT_ZERO[dtype] / 2
    return bound + Bound.of((1 + u) * (rounding + spacing))


def representable(z: Float64, y: Float64, bound: Bound, state: State) -> npt.NDArray[np.bool_]:
    """Return where no step towards y, (N, D), can overflow in float16.

    ``bound`` is that of y in float32, which a one-pass variance may make large.
    """
    gamma, beta = (np.abs(a.astype(np.float64)) for a in (state.gamma, state.beta))
    error = bound.allowed / np.where(gamma == 0, 1, np.minimum(gamma, 1))
    largest: Float64 = np.maximum(np.maximum(np.abs(z), gamma * np.abs(z)), np.abs(y))
    return np.maximum(largest + error, beta) <= LARGEST


def train_in_float64(
    config: Config, state: State, x: npt.ArrayLike, accuracy: Accuracy, stored: str
) -> TrainingBounds:
    """Return the bounds for a training call in float64 with arrays of the dtype ``stored``.

    The formulas are those of float32 with u = 2⁻⁵³. One rounding is added for the oracle, whose
    decimal result is rounded to float64. Running statistics that are stored as float32 may be
    averaged in float32, too: they err by 5·2⁻²⁴·max(|old|, |new|) more, and so does y, where it is
    declared to come from them.
    """
    with arithmetic(ROUNDOFF["float64"]):
        found = forward.train(config, state, x, accuracy)
    truth = oracle.train(config, state, x)

    def running(bound: Bound, old: npt.ArrayLike, new: Float64) -> Bound:
        exact = np.zeros_like(new)
        own = Bound.of(ema_error(config.momentum, exact, exact, old, new))
        return bound + own if stored == "float32" else bound + once(new)

    averages = {
        "running_mean": running(found.running_mean, state.running_mean, truth.mean),
        "running_var": running(found.running_var, state.running_var, truth.var),
    }
    y = _from_averages(config, state, x, truth, averages) if by_average() else found.y
    return TrainingBounds(mean=found.mean, var=found.var, y=y + once(truth.y), **averages)


def _from_averages(
    config: Config, state: State, x: npt.ArrayLike, truth: Training, errors: dict[str, Bound]
) -> Bound:
    """Return the bound for a y that comes from averages which err by that much."""
    x64, mean, var = np.asarray(x, np.float64), truth.running_mean, truth.running_var

    def of(which: str) -> Float64:
        e_mean, e_var = (getattr(errors[name], which) for name in STATISTICS)
        return forward.output_error(x64, mean, var, e_mean, e_var, config.eps, state)

    with arithmetic(ROUNDOFF["float64"]):
        return Bound.of(of("strict"), of("allowed"))


def evaluate_in_float64(config: Config, state: State, x: npt.ArrayLike) -> Bound:
    """Return the bound for an evaluation call in float64."""
    with arithmetic(ROUNDOFF["float64"]):
        found = forward.evaluate(config, state, x)
    return found + once(oracle.evaluate(config, state, x))


def once(value: Float64) -> Bound:
    """Return the bound for one rounding to float64; twice that, as the value is computed, too."""
    return Bound.of(2 * ROUNDOFF["float64"] * np.abs(value))
