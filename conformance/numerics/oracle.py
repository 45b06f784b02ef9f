"""What the right answer is: Batch Normalization in float64 NumPy, in textbook order.

The oracle is evaluated on the very float32 values that the implementation received, so the
only difference left is the rounding of the implementation, which ``bounds`` limits. It has
no options that the requirements lack, except what ``conventions`` says an implementation has
declared, and it imports nothing that it judges.

Letters: x is (N, D); μ and v are the mean and the biased variance of a batch over axis 0, both
(D,); z = (x−μ)/√(v+ε); γ, β, rm, rv are gamma, beta and the running mean and variance, (D,).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics import conventions
from conformance.numerics.state import State

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Training:
    """Everything that one training call defines, in float64."""

    mean: Float64
    var: Float64
    z: Float64
    y: Float64
    running_mean: Float64
    running_var: Float64


def statistics(x: npt.ArrayLike) -> tuple[Float64, Float64]:
    """Return the batch statistics: μ = mean(x) and v = mean((x−μ)²), each (D,)."""
    x64 = np.asarray(x, np.float64)
    mean = x64.mean(axis=0)
    return mean, np.square(x64 - mean).mean(axis=0)


def normalized(x: npt.ArrayLike, mean: Float64, var: Float64, eps: float) -> Float64:
    """Return z = (x−mean)/√(var+ε), (N, D)."""
    return (np.asarray(x, np.float64) - mean) / np.sqrt(var + eps)


def affine(z: Float64, state: State) -> Float64:
    """Return γ·z + β, (N, D)."""
    return state.gamma.astype(np.float64) * z + state.beta.astype(np.float64)


def ema(momentum: float, old: npt.ArrayLike, new: Float64) -> Float64:
    """Return m·old + (1−m)·new, the running statistic after one update, (D,)."""
    return momentum * np.asarray(old, np.float64) + (1.0 - momentum) * new


def train(config: Config, state: State, x: npt.ArrayLike) -> Training:
    """Return what a training call on ``x`` gives, starting from ``state``."""
    mean, var = statistics(x)
    stored = var * conventions.share_stored(len(np.asarray(x)))
    kept = conventions.weight_of_old(config.momentum, state.count)
    running_mean = ema(kept, state.running_mean, mean)
    running_var = ema(kept, state.running_var, stored)
    by_average = conventions.normalises_with_average()
    used = (running_mean, running_var) if by_average else (mean, var)
    z = normalized(x, *used, config.eps)
    return Training(
        mean=mean,
        var=var,
        z=z,
        y=affine(z, state),
        running_mean=running_mean,
        running_var=running_var,
    )


def evaluate(config: Config, state: State, x: npt.ArrayLike) -> Float64:
    """Return y = γ·(x−rm)/√(rv+ε) + β, what an evaluation call gives, (N, D)."""
    mean = state.running_mean.astype(np.float64)
    var = state.running_var.astype(np.float64)
    return affine(normalized(x, mean, var, config.eps), state)


@dataclass(frozen=True, slots=True)
class Gradient:
    """The derivatives of Σ w·y with respect to gamma, beta, both (D,), and x, (N, D)."""

    gamma: Float64
    beta: Float64
    x: Float64


def training_gradient(config: Config, state: State, x: npt.ArrayLike, w: npt.ArrayLike) -> Gradient:
    """Return what pulling the cotangent w, (N, D), back through a training call gives.

    dβ = Σ w; dγ = Σ w·z; dx = γ·r·(w − mean(w) − z·mean(w·z)) with r = 1/√(v+ε).
    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, section 3.
    """
    w64 = np.asarray(w, np.float64)
    mean, var = statistics(x)
    z = normalized(x, mean, var, config.eps)
    scale = state.gamma.astype(np.float64) / np.sqrt(var + config.eps)
    return Gradient(
        gamma=(w64 * z).sum(axis=0),
        beta=w64.sum(axis=0),
        x=scale * (w64 - w64.mean(axis=0) - z * (w64 * z).mean(axis=0)),
    )


def averaged_gradient(config: Config, state: State, x: npt.ArrayLike, w: npt.ArrayLike) -> Gradient:
    """Return what pulling w back gives if training normalises with its averages M = rm', V = rv'.

    With r = 1/√(V+ε), z = (x−M)·r, k the weight of the batch in the averages and s that of v:
    dγ = Σ w·z; dx = γ·r·(w − k·(mean(w) + s·(x−μ)·r·mean(w·z))), where they carry a gradient, and
    dx = γ·r·w where they are constants.
    """
    w64, x64 = np.asarray(w, np.float64), np.asarray(x, np.float64)
    found = train(config, state, x64)
    r = 1 / np.sqrt(found.running_var + config.eps)
    k, s, _ = conventions.weights_of_new(config.momentum, state.count, len(x64))
    k = k if conventions.follows_gradient_through_averages() else 0.0
    pulled = w64.mean(axis=0) + s * (x64 - found.mean) * r * (w64 * found.z).mean(axis=0)
    return Gradient(
        gamma=(w64 * found.z).sum(axis=0),
        beta=w64.sum(axis=0),
        x=state.gamma.astype(np.float64) * r * (w64 - k * pulled),
    )


def evaluation_gradient(
    config: Config, state: State, x: npt.ArrayLike, w: npt.ArrayLike
) -> Gradient:
    """Return what pulling w back through an evaluation call gives: the statistics are constants.

    dβ = Σ w; dγ = Σ w·(x−rm)/√(rv+ε); dx = w·γ/√(rv+ε).
    """
    w64 = np.asarray(w, np.float64)
    mean, var = state.running_mean.astype(np.float64), state.running_var.astype(np.float64)
    z = normalized(x, mean, var, config.eps)
    scale = state.gamma.astype(np.float64) / np.sqrt(var + config.eps)
    return Gradient(gamma=(w64 * z).sum(axis=0), beta=w64.sum(axis=0), x=w64 * scale)
