"""Batch Normalization in float64, in functions that are copied into scripts.

Letters: x is (N, D), w is the cotangent of y, (N, D); a state is a dictionary of gamma, beta,
running_mean and running_var, each (D,). ``conformance.numerics.oracle`` computes the same for
the suite; a test holds the two together. Only NumPy is used, nothing outside of this module.
"""

from __future__ import annotations

from decimal import Decimal, getcontext
from typing import Any

import numpy as np


def float64(state: Any) -> Any:
    """gamma, beta, running_mean and running_var, exactly as they are held."""
    return [np.asarray(value, np.float64) for value in state.values()]


def statistics(x: Any) -> Any:
    """μ = mean(x), v = mean((x−μ)²), per feature."""
    mean = np.asarray(x, np.float64).mean(axis=0)
    return mean, np.square(np.asarray(x, np.float64) - mean).mean(axis=0)


def evaluated(x: Any, state: Any, eps: Any) -> Any:
    """y = γ·(x − rm)/√(rv + ε) + β"""
    gamma, beta, mean, var = float64(state)
    return gamma * (np.asarray(x, np.float64) - mean) / np.sqrt(var + eps) + beta


def trained(x: Any, state: Any, momentum: Any, eps: Any) -> Any:
    """y = γ·(x − μ)/√(v + ε) + β, rm' = m·rm + (1 − m)·μ, rv' = m·rv + (1 − m)·v"""
    gamma, beta, running_mean, running_var = float64(state)
    mean, var = statistics(x)
    return {
        "y": gamma * (np.asarray(x, np.float64) - mean) / np.sqrt(var + eps) + beta,
        "running_mean": momentum * running_mean + (1 - momentum) * mean,
        "running_var": momentum * running_var + (1 - momentum) * var,
    }


def followed(batches: Any, state: Any, momentum: Any) -> Any:
    """The running statistics after a training call on each of the batches."""
    for x in batches:
        state = {**state, **trained(x, state, momentum, 1.0)}
        del state["y"]
    return state


def gradients(x: Any, state: Any, eps: Any, w: Any, evaluate: Any) -> Any:
    """Of Σ w·y: dβ = Σ w, dγ = Σ w·z, dx = γ·r·(w − mean(w) − z·mean(w·z)), or γ·r·w."""
    gamma, _, mean, var = float64(state)
    w, (mean, var) = np.asarray(w, np.float64), (mean, var) if evaluate else statistics(x)
    r = 1 / np.sqrt(var + eps)
    z = (np.asarray(x, np.float64) - mean) * r
    through_statistics = 0 if evaluate else w.mean(axis=0) + z * (w * z).mean(axis=0)
    dx = gamma * r * (w - through_statistics)
    return {"gamma": (w * z).sum(axis=0), "beta": w.sum(axis=0), "x": dx}


def decimals(array: Any) -> Any:
    """The same numbers, to be computed with in 60 digits."""
    getcontext().prec = 60
    return np.vectorize(Decimal, otypes=[object])(np.asarray(array, np.float64))


def exactly_evaluated(x: Any, state: Any, eps: Any) -> Any:
    """y = γ·(x − rm)/√(rv + ε) + β in decimal arithmetic, rounded to float64 once."""
    gamma, beta, mean, var = (decimals(array) for array in state.values())
    root = np.vectorize(Decimal.sqrt, otypes=[object])(var + Decimal(eps))
    return (gamma * ((decimals(x) - mean) / root) + beta).astype(np.float64)


def exactly_trained(x: Any, state: Any, momentum: Any, eps: Any) -> Any:
    """The results of a training call in decimal arithmetic, rounded to float64 once."""
    gamma, beta, running_mean, running_var = (decimals(array) for array in state.values())
    x, m = decimals(x), Decimal(momentum)
    mean = x.sum(axis=0) / len(x)
    var = np.square(x - mean).sum(axis=0) / len(x)
    root = np.vectorize(Decimal.sqrt, otypes=[object])(var + Decimal(eps))
    return {
        "y": (gamma * ((x - mean) / root) + beta).astype(np.float64),
        "running_mean": (m * running_mean + (1 - m) * mean).astype(np.float64),
        "running_var": (m * running_var + (1 - m) * var).astype(np.float64),
    }
