"""Error bounds for the gradients of a training call that normalises with its averages.

Notation as for gradients, with M = rm', V = rv' and r = 1/√(V+ε), so that z = (x−M)·r; further
k, the weight of the batch in the averages, by which v is stored times s, and zb = (x−μ)·r:
dx = γ·r·(w − k·(mean(w) + s·zb·mean(w·z))) where the averages carry a gradient, else γ·r·w.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics import oracle
from conformance.numerics.bounds import backward, forward
from conformance.numerics.bounds.accuracy import FLUSHED, Bound, Float64, U
from conformance.numerics.bounds.backward import GradientBounds
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State


def averaged_gradient(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    conventions: Conventions = STRICT,
) -> GradientBounds:
    """Return the bounds for the gradients of a training call that normalises with its averages.

    Args:
        config: Momentum and ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        conventions: The conventions that the layer declares.
    """
    x64, w64 = oracle.float64(x), oracle.float64(w)
    truth = oracle.train(config, state, x64, conventions)
    limits = forward.train(config, state, x64, conventions)
    gamma = np.abs(state.gamma.astype(np.float64))

    def errors(which: str, *, one_pass: bool) -> tuple[Float64, Float64]:
        e_mean, e_var = (getattr(b, which) for b in (limits.running_mean, limits.running_var))
        averages = (truth.running_mean, truth.running_var)
        batch = backward.batch_of(x64, w64, *averages, e_mean, e_var, config.eps)
        if not conventions.follows_gradient_through_averages():
            constant = batch.r * np.abs(w64) * (batch.rho + 3 * U) + FLUSHED * batch.r
            return backward.gain_error(batch), gamma * constant
        weights = conventions.weights_of_new(config.momentum, state.count, len(x64))
        shift = getattr(limits.mean, which) * batch.r
        zb, lost = np.abs(x64 - truth.mean) * batch.r, getattr(limits.var, which) >= truth.var
        error = _through(batch, x64, (zb, shift, lost), weights, one_pass=one_pass)
        return backward.gain_error(batch), gamma * error

    strict = errors("strict", one_pass=False)
    wider = errors("allowed", one_pass=conventions.admits_one_pass())
    return GradientBounds(
        gamma=Bound.of(strict[0], wider[0]),
        beta=Bound.of(backward.offset_error(w64)),
        x=Bound.of(strict[1], wider[1]),
    )


def _through(
    batch: backward.Batch,
    x: Float64,
    centred: tuple[Float64, Float64, Float64],
    weights: tuple[float, float, float],
    *,
    one_pass: bool,
) -> Float64:
    """Return the bound for dx, divided by |γ|, where the averages carry a gradient, (N, D).

    As ``gradient.input_error``, whose terms have the weight k where they come through M, and k·s
    through V; zb, centred at μ, errs by a_b = e_μ·r, and mean(w·z) by ``projection_error``.
    1−m is rounded, which moves k by e_k, that of an average of size 1.
    ``centred``: |zb|, a_b, and where a variance clamped at zero has lost its derivative.
    """
    zb, shift, lost = centred
    k, s, e_k = weights
    rho, h, w = batch.rho, batch.h, np.abs(batch.w)
    g1, g = batch.pulled, batch.projected + batch.shift * batch.pulled
    c = (1 + rho) ** 3
    spread = np.ptp(x, axis=0) * batch.r
    direct = rho * (w + k * g1)
    projected = (c - 1) * zb * batch.projected
    projected = projected + c * (2 * shift * g + zb * backward.projection_error(batch))
    rounding = c * (h + 10) * U * (w + k * g1 + k * s * (zb + spread) * g)
    weighing = e_k * (g1 + s * c * zb * g)
    total = direct + k * s * projected + rounding + weighing
    total = total + np.where(lost, k * s * zb * batch.projected, 0.0)
    total[0] += c * (h + 5) * U * len(w) * k * (g1 + 2 * s * spread * g)
    if one_pass:
        total += k * s * c * 8 * U * (batch.size + np.abs(x.mean(axis=0)) * batch.r) * g
    error: Float64 = batch.r * (total + FLUSHED)
    return error
