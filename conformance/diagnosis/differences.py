"""Gradients of a model: of its modelled backward pass, or differences of its calls."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import numpy as np

from conformance.diagnosis.approximate import Float64
from conformance.diagnosis.backward_model import BACKWARD_STEPS, BackwardModel, gradients

_STEP = 1e-4
"""The difference of an argument in units of its scale; the error is of the order of its square."""


def gradients_of_model(model: BackwardModel, x: Float64, w: Float64, flag: bool) -> list[Float64]:
    """Return the gradients of Σ w·y for gamma and beta, (D,), and x, (N, D).

    Args:
        model: A model in the state before the call, which may change.
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        flag: Whether the call evaluates.
    """
    with np.errstate(all="ignore"):
        if not BACKWARD_STEPS.isdisjoint(model.installed):
            found = gradients(model, x, w, training=not flag)
            return [found[f"gradient of {name}"].value for name in ("gamma", "beta", "x")]
        gamma, beta = model.gamma.value, model.beta.value

        def total(gamma: Float64, beta: Float64, x: Float64) -> float:
            called = deepcopy(model)
            called.write({**model.read(), "gamma": gamma, "beta": beta})  # type: ignore[dict-item]
            return float((w * called.call(x, flag).value).sum())

        scale = np.sqrt(x.var(axis=0) + model.eps)
        return [
            _differences(lambda a: total(a, beta, x), gamma, np.ones_like(gamma)),
            _differences(lambda a: total(gamma, a, x), beta, np.ones_like(beta)),
            _differences(lambda a: total(gamma, beta, a), x, np.broadcast_to(scale, x.shape)),
        ]


def _differences(function: Callable[[Float64], float], at: Float64, scale: Float64) -> Float64:
    """Return the central differences of a function of an array, in the shape of the array."""
    found = np.empty(at.shape)
    for index in np.ndindex(at.shape):
        step = _STEP * scale[index]
        above, below = at.copy(), at.copy()
        above[index] += step
        below[index] -= step
        found[index] = (function(above) - function(below)) / (above[index] - below[index])
    return found
