"""Columns and states with special values for the designed inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.numerics.state import Float32, State

_RATIOS = {"near": 1.0, "below": 0.3, "above": 3.0}
"""Standard deviations in units of √ε."""


def batch_of(
    rng: np.random.Generator, names: list[str], rows: int, features: int, eps: float
) -> Float32:
    """Return a batch, (rows, features), whose columns are of the named kinds, in turn.

    Args:
        rng: The source of random numbers.
        names: The kinds of columns.
        rows: N.
        features: D.
        eps: The ε of the layer; some standard deviations are multiples of √ε.
    """
    columns = [_column(rng, names[feature % len(names)], rows, eps) for feature in range(features)]
    return np.stack(columns, axis=1).astype(np.float32)


def _column(rng: np.random.Generator, name: str, rows: int, eps: float) -> Any:
    pattern = rng.standard_normal(rows)
    match name:
        case "near" | "below" | "above":
            return _RATIOS[name] * np.sqrt(eps) * (pattern + 1.5)
        case "outlier":
            pattern[rows // 3] = 90.0
            return 0.7 + 2.1 * pattern
        case "constant":
            return np.full(rows, 2.3718)
        case "zeros":
            return np.zeros(rows)
        case "padded":
            return np.where(np.arange(rows) < rows - 2, 1.3 * pattern + 3.217, 0.0)
        case "duplicated":
            return np.repeat(pattern[::2], 2)[:rows] * 1.7 + 0.6
        case "integers":
            return np.round(7 * pattern) + 3
        case "nan" | "inf":
            pattern[rows // 2] = np.nan if name == "nan" else np.inf
            return pattern
    offset, scale = _SCALED[name]
    return offset + scale * pattern


_SCALED = {
    "normal": (0.0, 1.0),
    "shifted": (3.217, 1.3),
    "small": (1e-3, 3e-3),
    "tiny": (2e-8, 1e-7),
    "minute": (1e-8, 2e-7),
    "vast": (2e6, 4e6),
    "large": (-300.0, 250.0),
    "thousand": (40.0, 2e3),
    "huge": (3e4, 5e4),
    "far": (2e3, 1.7),
}
"""Mean and standard deviation of the normally distributed columns."""

_GAMMAS = (
    None,
    None,
    0.0,
    None,
    131.37,
    None,
    -0.0031,
    None,
    1.0,
    -57.1,
    None,
    7131.4,
    None,
    3.3e-6,
)
_BETAS = (None, None, None, 1003.123, None, 0.0, None, None, -0.0021)
_VARIANCES = (None, None, 0.0, None, 3.3e-6, 4.7e7, None, 1e-8, None, None, 1.0, 31000.0)
_MEANS = (None, None, None, 0.0, None, None, 212.7)
"""Special values that replace some usual ones; the lengths have no common factors."""


def state_of(
    rng: np.random.Generator, turn: int, features: int, eps: float, *, ones: bool, zeros: bool
) -> State:
    """Return a state, (D,) each, with special values among usual ones.

    Args:
        rng: The source of random numbers.
        turn: The number of the state, which selects its special values.
        features: D.
        eps: The ε of the layer.
        ones: Whether every γ is one.
        zeros: Whether every β is zero.
    """
    sign = np.where(rng.random(features) < 0.5, -1.0, 1.0)
    gamma = _mixed(sign * rng.uniform(0.3, 3.0, features), _GAMMAS, turn)
    beta = _mixed(rng.uniform(0.2, 3.0, features) * -sign, _BETAS, 3 * turn)
    mean = _mixed(rng.uniform(0.3, 5.0, features) * sign[::-1], _MEANS, turn)
    usual_var = np.where(rng.random(features) < 0.3, eps, rng.uniform(0.2, 5.0, features))
    if ones:
        gamma = np.ones(features)
    if zeros:
        beta = np.zeros(features)
    var = _mixed(usual_var, _VARIANCES, 5 * turn)
    return State(*(np.asarray(values, np.float32) for values in (gamma, beta, mean, var)))


def _mixed(usual: Any, specials: tuple[float | None, ...], turn: int) -> Any:
    chosen = [specials[(turn + i) % len(specials)] for i in range(len(usual))]
    return np.array([u if s is None else s for u, s in zip(usual, chosen, strict=True)])
