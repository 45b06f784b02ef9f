"""The expected results: Batch Normalization in float64 NumPy, in textbook order.

The oracle is evaluated on the very float32 values that the implementation receives, so the
only difference left is the rounding of the implementation, which ``bounds`` limits. It imports
nothing that it judges, and its only option is the declared ``Conventions``.

The functions that take a mapping of arrays use NumPy and each other alone, so that scripts can
copy them, and work in any arithmetic: ``exact`` converts their arguments.

Letters: x is (N, D), and w, (N, D), is the cotangent of y; μ and v are the mean and the biased
variance of a batch over axis 0, both (D,); z = (x−μ)/√(v+ε); γ, β, rm, rv are gamma, beta and the
running mean and variance, (D,); m is the momentum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.sources import formula, is_sourced
from conformance.numerics.state import State

Float64 = npt.NDArray[np.float64]


def float64(array: Any) -> Any:
    """The same numbers in float64, a feature after the other: so they are added up much faster."""
    if is_sourced(array):
        return array.astype(np.float64)
    return np.asarray(array, np.float64, order="F")


@formula
def moments(x: Any) -> Any:
    """μ = mean(x), v = mean((x−μ)²), per feature."""
    mean = x.mean(axis=0)
    return mean, np.square(x - mean).mean(axis=0)


@formula
def normalize(x: Any, mean: Any, var: Any, eps: Any) -> Any:
    """z = (x−μ)/√(v+ε)"""
    return (x - mean) / np.sqrt(var + eps)


@formula
def ema(momentum: Any, old: Any, new: Any) -> Any:
    """m·old + (1−m)·new"""
    return momentum * old + (1 - momentum) * new


def training_call(
    x: Any,
    state: Mapping[str, Any],
    momentum: Any,
    eps: Any,
    share: float = 1.0,
    by_average: bool = False,
    exact: Callable[[Any], Any] = float64,
) -> dict[str, Any]:
    """y = γ·(x−μ)/√(v+ε) + β, rm' = m·rm + (1−m)·μ, rv' = m·rv + (1−m)·s·v; or y from rm', rv'."""
    x, gamma, beta, old_mean, old_var = map(exact, (x, *state.values()))
    if exact is not float64:
        momentum, eps, share = exact(momentum), exact(eps), exact(share)
    mean, var = moments(x)
    running_mean = ema(momentum, old_mean, mean)
    running_var = ema(momentum, old_var, var if share == 1 else var * share)
    used = (running_mean, running_var) if by_average else (mean, var)
    z = normalize(x, *used, eps)
    statistics = {"running_mean": running_mean, "running_var": running_var}
    return {"y": gamma * z + beta, **statistics, "z": z, "mean": mean, "var": var}


def evaluation_call(
    x: Any, state: Mapping[str, Any], eps: Any, exact: Callable[[Any], Any] = float64
) -> Any:
    """y = γ·(x−rm)/√(rv+ε) + β"""
    x, gamma, beta, mean, var = map(exact, (x, *state.values()))
    eps = eps if exact is float64 else exact(eps)
    return gamma * normalize(x, mean, var, eps) + beta


def gradients(x: Any, state: Mapping[str, Any], eps: Any, w: Any, evaluate: bool) -> dict[str, Any]:
    """Of Σ w·y: dβ = Σ w, dγ = Σ w·z, dx = γ·r·(w − mean(w) − z·mean(w·z)) with r = 1/√(v+ε).

    In evaluation the statistics are constants: dx = γ·r·w. Source: Ioffe & Szegedy 2015.
    """
    x, w, gamma, _, mean, var = map(float64, (x, w, *state.values()))
    mean, var = (mean, var) if evaluate else moments(x)
    z = normalize(x, mean, var, eps)
    inside = w if evaluate else w - w.mean(axis=0) - z * (w * z).mean(axis=0)
    dx = gamma / np.sqrt(var + eps) * inside
    return {"gamma": (w * z).sum(axis=0), "beta": w.sum(axis=0), "x": dx}


@dataclass(frozen=True, slots=True)
class Training:
    """Results of one training call: μ and v, (D,), z and y, (N, D), and rm' and rv', (D,)."""

    mean: Float64
    var: Float64
    z: Float64
    y: Float64
    running_mean: Float64
    running_var: Float64


@dataclass(frozen=True, slots=True)
class Gradient:
    """The derivatives of Σ w·y with respect to gamma, beta, both (D,), and x, (N, D)."""

    gamma: Float64
    beta: Float64
    x: Float64


def statistics(x: npt.ArrayLike) -> tuple[Float64, Float64]:
    """Return the batch statistics of x, (N, D): μ and v, each (D,)."""
    mean, var = moments(float64(x))
    return mean, var


def train(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    conventions: Conventions = STRICT,
    exact: Callable[[Any], Any] = float64,
) -> Training:
    """Return the results of a training call on x, (N, D), starting from ``state``.

    Args:
        config: Momentum and ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        conventions: The conventions that the layer declares.
        exact: Converts arrays to the arithmetic in which to compute.

    Source: Ioffe & Szegedy 2015, algorithm 1.
    """
    if conventions.always_evaluates():
        return _train_frozen(config, state, x)
    found = training_call(
        x,
        state.arrays(),
        conventions.weight_of_old(config.momentum, state.count),
        config.eps,
        conventions.share_stored(len(np.asarray(x))),
        conventions.normalises_with_average(),
        exact,
    )
    if conventions.always_trains():
        found |= {name: float64(getattr(state, name)) for name in ("running_mean", "running_var")}
    return Training(**{name: value.astype(np.float64, copy=False) for name, value in found.items()})


def _train_frozen(config: Config, state: State, x: npt.ArrayLike) -> Training:
    """Return the results of a training call that evaluates."""
    arrays = state.arrays()
    kept = {name: float64(arrays[name]) for name in ("running_mean", "running_var")}
    z = normalize(float64(x), kept["running_mean"], kept["running_var"], config.eps)
    mean, var = statistics(x)
    return Training(mean, var, z, evaluation_call(x, arrays, config.eps), **kept)


def evaluate(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    exact: Callable[[Any], Any] = float64,
    conventions: Conventions = STRICT,
) -> Float64:
    """Return y of an evaluation call on x, (N, D).

    Args:
        config: ε of the layer.
        state: γ, β, rm and rv, each (D,).
        x: The batch, (N, D).
        exact: Converts arrays to the arithmetic in which to compute.
        conventions: The conventions that the layer declares.

    Returns:
        y, (N, D).
    """
    if conventions.always_trains():
        return train(config, state, x, conventions, exact).y
    y = evaluation_call(x, state.arrays(), config.eps, exact)
    return y.astype(np.float64, copy=False)  # type: ignore[no-any-return]


def training_gradient(config: Config, state: State, x: npt.ArrayLike, w: npt.ArrayLike) -> Gradient:
    """Return the gradients of Σ w·y of a training call; see ``gradients``.

    Args:
        config: ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
    """
    return Gradient(**gradients(x, state.arrays(), config.eps, w, evaluate=False))


def evaluation_gradient(
    config: Config, state: State, x: npt.ArrayLike, w: npt.ArrayLike
) -> Gradient:
    """Return the gradients of Σ w·y of an evaluation call; see ``gradients``.

    Args:
        config: ε of the layer.
        state: γ, β, rm and rv, each (D,).
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
    """
    return Gradient(**gradients(x, state.arrays(), config.eps, w, evaluate=True))


def averaged_gradient(
    config: Config,
    state: State,
    x: npt.ArrayLike,
    w: npt.ArrayLike,
    conventions: Conventions = STRICT,
) -> Gradient:
    """Return the gradients of a training call that normalises with M = rm' and V = rv'.

    With r = 1/√(V+ε), z = (x−M)·r, k the weight of the batch in the averages and s that of v:
    dγ = Σ w·z; dx = γ·r·(w − k·(mean(w) + s·(x−μ)·r·mean(w·z))), where they carry a gradient, and
    dx = γ·r·w where they are constants.

    Args:
        config: Momentum and ε of the layer.
        state: The state before the call, four arrays of (D,).
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        conventions: The conventions that the layer declares.
    """
    w64, x64 = float64(w), float64(x)
    found = train(config, state, x64, conventions)
    r = 1 / np.sqrt(found.running_var + config.eps)
    k, s, _ = conventions.weights_of_new(config.momentum, state.count, len(x64))
    k = k if conventions.follows_gradient_through_averages() else 0.0
    pulled = w64.mean(axis=0) + s * (x64 - found.mean) * r * (w64 * found.z).mean(axis=0)
    return Gradient(
        gamma=(w64 * found.z).sum(axis=0),
        beta=w64.sum(axis=0),
        x=float64(state.gamma) * r * (w64 - k * pulled),
    )
