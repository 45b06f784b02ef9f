"""Error bounds for derivatives along a tangent, and for second derivatives.

Notation as for gradients; t, (N, D), is a tangent of x, P(a) = a − mean(a) − z·mean(z·a), and
f = (|x|+|μ|)·r. Admitted are forward mode, reverse over reverse and forward over reverse of
everything that is admitted for gradients.

A first-order analysis: an error in one factor is multiplied by the sizes of the others. Errors of
the factors, in units of z:

- mean(z·a): (h+10)·u·(mean|z·a| + R·max|a| + mean(f·|a|) + |μ|·r·mean|a|), where the second part
  is for sums that update a mean and the last two for the fused form and one pass, which cancel;
  and 2a·mean|a| for the centring, through t̂ and through μ;
- z: (ρ+10u)·|z| + a + 10u·f;
- P(a): (h+10)·u·(|a| + max|a|), and the errors of z and mean(z·a) times the size of the other;
- m = mean(w·P(t)) = mean(P(w)·t): the errors of P(t) and P(w), and (h+10)·u of its size.

Powers of r̂ up to the fifth are met in second derivatives, and up to the third along a tangent.
Where the variance may be clamped at zero its derivatives may be lost, and all that comes through
them with it. The first row gets the adjoint of a shift by it, as for gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics import oracle
from conformance.numerics.bounds import forward
from conformance.numerics.bounds.accuracy import FLUSHED, Bound, Float64, U
from conformance.numerics.bounds.backward import Batch, batch_of
from conformance.numerics.bounds.moments import statistics
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State

_Error = Callable[[Batch, Float64, npt.NDArray[np.bool_]], Float64]
"""Of a batch with t in the place of the cotangent, x, and where derivatives may be lost, (D,)."""


@dataclass(frozen=True, slots=True)
class SecondBounds:
    """Bounds for the derivatives of Σ t·dx: for gamma, (D,), x and w, both (N, D)."""

    gamma: Bound
    x: Bound
    w: Bound


@dataclass(frozen=True, slots=True)
class _Direction:
    """The sizes that belong to a cotangent or tangent a, and the errors of their computation.

    Attributes:
        size, rest: |a| and the size of P(a), (N, D).
        mean, largest, projected: mean|a|, max|a| and mean|z·a|, (D,).
        projected_error, rest_error: The errors of mean(z·a), (D,), and of P(a), (N, D).
    """

    size: Float64
    rest: Float64
    mean: Float64
    largest: Float64
    projected: Float64
    projected_error: Float64
    rest_error: Float64


def output_along(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    along: tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike],
    conventions: Conventions = STRICT,
    *,
    evaluate: bool,
) -> Bound:
    """Return the bound for ẏ, (N, D): that of γ̇·z + β̇ as an output, that of γ·ż, and their sum.

    Args:
        config: ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        along: The tangents of γ, β, (D,), and x, (N, D).
        conventions: The conventions that the layer declares.
        evaluate: Whether the call evaluates.
    """
    of_gamma, of_beta, t = (np.asarray(each, np.float32) for each in along)
    moved = state.replace(gamma=of_gamma, beta=of_beta)
    gamma = np.abs(state.gamma.astype(np.float64))

    def error(batch: Batch, x64: Float64, lost: npt.NDArray[np.bool_]) -> Float64:
        if evaluate:
            size = gamma * batch.r * np.abs(batch.w)
            through = size * (batch.rho + 3 * U) + FLUSHED * gamma * batch.r
        else:
            through, size = _moved(batch, x64, lost)
            through, size = gamma * batch.r * through, gamma * batch.r * size
        parts = np.abs(of_gamma * batch.z) + np.abs(of_beta) + size
        fused = np.abs(of_gamma) * (batch.size + batch.center)
        error: Float64 = through + 3 * U * parts + 3 * U * fused
        return error

    if evaluate:
        plain = forward.evaluate(config, moved, x, conventions)
    else:
        plain = forward.train(config, moved, x, conventions).y
    return plain + _bounds(config, state, x, t, conventions, error, evaluate=evaluate)


def second_gradients(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    t: npt.ArrayLike,
    conventions: Conventions = STRICT,
    *,
    evaluate: bool,
) -> SecondBounds:
    """Return the bounds for the derivatives of Σ t·dx, dx that of Σ w·y.

    Args:
        config: ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        t: The cotangent of dx, (N, D).
        conventions: The conventions that the layer declares.
        evaluate: Whether the call evaluates.
    """
    w64 = oracle.float64(w)
    gamma = np.abs(state.gamma.astype(np.float64))

    def of_gamma(batch: Batch, x64: Float64, lost: npt.NDArray[np.bool_]) -> Float64:
        both, n = np.abs(w64 * batch.w).sum(axis=0), len(x64)
        if evaluate:
            size: Float64 = batch.r * both
            return size * (batch.rho + (n + 3) * U)
        (m, e_m), _ = _second(batch, x64, w64)
        c = (1 + batch.rho) ** 3
        error: Float64 = (c - 1) * m + c * e_m + np.where(lost, m, 0.0)
        return n * batch.r * error

    def of_x(batch: Batch, x64: Float64, lost: npt.NDArray[np.bool_]) -> Float64:
        scale = gamma * batch.r**2
        if evaluate:
            return scale * FLUSHED + 0 * x64
        _, (size, inexact) = _second(batch, x64, w64)
        c = (1 + batch.rho) ** 5
        total = (c - 1) * size + c * inexact + np.where(lost, size, 0.0)
        total[0] += c * (2 * batch.h + 10) * U * len(x64) * size.mean(axis=0)
        return scale * (total + FLUSHED * (1 + batch.r))

    def of_w(batch: Batch, x64: Float64, lost: npt.NDArray[np.bool_]) -> Float64:
        if evaluate:
            return gamma * batch.r * np.abs(batch.w) * (batch.rho + 3 * U)
        return gamma * batch.r * _moved(batch, x64, lost)[0]

    found = (
        _bounds(config, state, x, t, conventions, each, evaluate=evaluate)
        for each in (of_gamma, of_x, of_w)
    )
    return SecondBounds(*found)


def _bounds(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    t: npt.ArrayLike,
    conventions: Conventions,
    error: _Error,
    *,
    evaluate: bool,
) -> Bound:
    """Return the bound that an error amounts to, without and with declared deviations."""
    x64, t64 = oracle.float64(x), oracle.float64(t)
    if evaluate:
        mean, var = state.running_mean.astype(np.float64), state.running_var.astype(np.float64)
        exact = np.zeros_like(mean)
        batch = batch_of(x64, t64, mean, var, exact, exact, config.eps)
        return Bound.of(error(batch, x64, exact > 0))
    mean, var = oracle.statistics(x64)
    e_mean, e_var = statistics(x64, conventions)

    def with_error(e_var: Float64) -> Float64:
        batch = batch_of(x64, t64, mean, var, e_mean.strict, e_var, config.eps)
        result: Float64 = error(batch, x64, e_var >= var)
        return result

    strict = with_error(e_var.strict)
    return Bound.of(strict, strict if e_var.allowed is e_var.strict else with_error(e_var.allowed))


def _direction(batch: Batch, x: Float64, a: Float64) -> _Direction:
    """Return the sizes and errors of a cotangent or tangent a, (N, D)."""
    h, z, size = batch.h, np.abs(batch.z), np.abs(a)
    mean, largest, projected = size.mean(axis=0), size.max(axis=0), (z * size).mean(axis=0)
    spread, fused = np.ptp(x, axis=0) * batch.r, batch.size + batch.center
    cancels = (fused * size).mean(axis=0) + batch.center * mean
    rounding = (h + 10) * U * (projected + spread * largest + cancels)
    e_projected = rounding + 2 * batch.shift * mean
    e_z = _error_of_z(batch)
    e_rest = (h + 10) * U * (size + largest) + e_z * projected + z * e_projected
    rest = size + mean + z * projected
    return _Direction(size, rest, mean, largest, projected, e_projected, e_rest)


def _error_of_z(batch: Batch) -> Float64:
    fused = batch.size + batch.center
    error: Float64 = (batch.rho + 10 * U) * np.abs(batch.z) + batch.shift + 10 * U * fused
    return error


def _moved(batch: Batch, x: Float64, lost: npt.NDArray[np.bool_]) -> tuple[Float64, Float64]:
    """Return the error and the size of P(t), both (N, D)."""
    found = _direction(batch, x, batch.w)
    c = (1 + batch.rho) ** 3
    through = np.abs(batch.z) * found.projected
    error = (c - 1) * found.rest + c * found.rest_error + np.where(lost, through, 0.0)
    error[0] += c * (batch.h + 5) * U * len(x) * (found.mean + batch.shift * found.mean)
    return error + FLUSHED, found.rest


def _second(
    batch: Batch, x: Float64, w: Float64
) -> tuple[tuple[Float64, Float64], tuple[Float64, Float64]]:
    """Return the size and the error of m, (D,), and of what is in the brackets for x, (N, D)."""
    h, z, e_z = batch.h, np.abs(batch.z), _error_of_z(batch)
    one, two = _direction(batch, x, w), _direction(batch, x, batch.w)
    m = (one.size * two.rest).mean(axis=0)
    e_m = (one.size * two.rest_error + two.size * one.rest_error).mean(axis=0)
    e_m = e_m + (h + 10) * U * m
    size = two.projected * one.rest + one.projected * two.rest + z * m
    error = two.projected_error * one.rest + two.projected * one.rest_error
    error = error + one.projected_error * two.rest + one.projected * two.rest_error
    error = error + e_z * m + z * e_m + (2 * h + 20) * U * size
    return (m, e_m), (size, error)
