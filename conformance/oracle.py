"""Batch Normalization in float64: the expected results, for tests of kernels and layers.

Letters: x is (N, D), and w is the cotangent of y; μ and v are the mean and the *biased* variance of
x over its rows, (D,); γ and β are gamma and beta, (D,). NumPy only. A batch with more axes, such as
images, is N rows of D features as well: ``axis`` names the axis of the features, and the results
have the shape of x.

>>> import numpy as np
>>> from conformance import oracle
>>> found = oracle.batch_norm(np.array([[0.0], [2.0]]), np.array([3.0]), np.array([1.0]), eps=1.25)
>>> found.mean, found.var
(array([1.]), array([1.]))
>>> found.y.tolist()
[[-1.0], [3.0]]
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from conformance.numerics import oracle as formulas
from conformance.numerics.operands import (
    LARGEST_VARIANCE,
    LARGEST_X,
    Float64,
    as_batch,
    as_rows,
    as_vector,
    check_eps,
    check_momentum,
    cotangent_rows,
)

__all__ = [
    "BatchNorm",
    "Gradients",
    "batch_norm",
    "batch_norm_inference",
    "gradients",
    "running_average",
]


class BatchNorm(NamedTuple):
    """Results of a training call: μ, v and 1/√(v+ε), (D,) each, and y in the shape of x."""

    mean: Float64
    var: Float64
    rstd: Float64
    y: Float64


class Gradients(NamedTuple):
    """The derivatives of Σ w·y: dx in the shape of x, dγ and dβ, (D,)."""

    x: Float64
    gamma: Float64
    beta: Float64


def batch_norm(x: Any, gamma: Any, beta: Any, eps: float, *, axis: int = -1) -> BatchNorm:
    """Return the results of a training call: y = γ·(x−μ)/√(v+ε) + β.

    Source: Ioffe & Szegedy 2015, algorithm 1.

    Args:
        x: The batch, (N, D) or more axes; numbers that float32 can hold.
        gamma: γ, (D,).
        beta: β, (D,).
        eps: ε, at least 1e-16.
        axis: The axis of the features.

    Raises:
        ValueError: A shape or a number is out of its range; the message names it.
    """
    rows, eps = as_rows(x, axis), check_eps(eps)
    width = rows.shape[1]
    gamma, beta = as_vector("gamma", gamma, width), as_vector("beta", beta, width)
    mean, var = formulas.statistics(rows)
    y = gamma * formulas.normalize(rows, mean, var, eps) + beta
    return BatchNorm(mean, var, 1 / np.sqrt(var + eps), as_batch(y, np.shape(x), axis))


def batch_norm_inference(
    x: Any, gamma: Any, beta: Any, mean: Any, var: Any, eps: float, *, axis: int = -1
) -> Float64:
    """Return y of a call with given statistics: y = γ·(x−m)/√(s+ε) + β, in the shape of x.

    Args:
        x: The batch, (N, D) or more axes; numbers that float32 can hold.
        gamma: γ, (D,).
        beta: β, (D,).
        mean: m, the running mean, (D,).
        var: s, the running variance, (D,), not negative.
        eps: ε, at least 1e-16.
        axis: The axis of the features.

    Raises:
        ValueError: A shape or a number is out of its range; the message names it.
    """
    rows, eps = as_rows(x, axis), check_eps(eps)
    width = rows.shape[1]
    gamma, beta = as_vector("gamma", gamma, width), as_vector("beta", beta, width)
    mean, var = (
        as_vector("mean", mean, width, LARGEST_X),
        as_vector("var", var, width, LARGEST_VARIANCE),
    )
    if (var < 0).any():
        msg = f"var has {var.min()!r}: a variance is not negative"
        raise ValueError(msg)
    y = gamma * formulas.normalize(rows, mean, var, eps) + beta
    return as_batch(y, np.shape(x), axis)


def gradients(x: Any, gamma: Any, eps: float, cotangent: Any, *, axis: int = -1) -> Gradients:
    """Return the derivatives of Σ w·y of a training call.

    With r = 1/√(v+ε) and z = (x−μ)·r: dβ = Σ w, dγ = Σ w·z, dx = γ·r·(w − mean(w) − z·mean(w·z)).

    Args:
        x: The batch, (N, D) or more axes; numbers that float32 can hold.
        gamma: γ, (D,).
        eps: ε, at least 1e-16.
        cotangent: w, in the shape of x.
        axis: The axis of the features.

    Raises:
        ValueError: A shape or a number is out of its range; the message names it.
    """
    rows, eps, w = as_rows(x, axis), check_eps(eps), cotangent_rows(np.shape(x), cotangent, axis)
    gamma = as_vector("gamma", gamma, rows.shape[1])
    unused = np.zeros_like(gamma)
    state = {"gamma": gamma, "beta": unused, "running_mean": unused, "running_var": unused}
    found = formulas.gradients(rows, state, eps, w, evaluate=False)
    return Gradients(as_batch(found["x"], np.shape(x), axis), found["gamma"], found["beta"])


def running_average(momentum: float, old: Any, new: Any) -> Float64:
    """Return m·old + (1−m)·new, the average after one update, (D,).

    >>> running_average(0.75, [0.0], [1.0])
    array([0.25])

    Args:
        momentum: m, the weight of the old value, in [0, 1].
        old: The average before, (D,).
        new: The batch mean, or the variance that is stored, (D,).

    Raises:
        ValueError: ``momentum`` is outside [0, 1].
    """
    found: Float64 = formulas.ema(check_momentum(momentum), np.asarray(old), np.asarray(new))
    return found
