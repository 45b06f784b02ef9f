"""The expected derivatives along a tangent, and second derivatives, in float64 NumPy.

Letters as in ``oracle``; t, (N, D), is a tangent of x, and γ̇ and β̇, (D,), those of γ and β. The
functions use NumPy and the steps of the oracle alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.numerics.oracle import float64, moments, normalize


def output_along(
    x: Any,
    state: Mapping[str, Any],
    eps: Any,
    along: tuple[Any, Any, Any],
    evaluate: bool,
) -> Any:
    """ẏ = γ̇·z + β̇ + γ·ż, with ż = r·(t − mean(t) − z·mean(z·t)), or r·t in evaluation.

    Args:
        x: The batch, (N, D).
        state: The four arrays, (D,).
        eps: ε of the layer.
        along: γ̇, β̇ and t.
        evaluate: Whether the call evaluates.
    """
    x, gamma, _, mean, var = map(float64, (x, *state.values()))
    of_gamma, of_beta, t = map(float64, along)
    mean, var = (mean, var) if evaluate else moments(x)
    z = normalize(x, mean, var, eps)
    inside = t if evaluate else t - t.mean(axis=0) - z * (z * t).mean(axis=0)
    return of_gamma * z + of_beta + gamma / np.sqrt(var + eps) * inside


def second_gradients(
    x: Any, state: Mapping[str, Any], eps: Any, w: Any, t: Any, evaluate: bool
) -> dict[str, Any]:
    """Of S = Σ t·dx, dx that of Σ w·y, with P(a) = a − mean(a) − z·mean(z·a) and m = mean(w·P(t)).

    For γ: N·r·m. For w: γ·r·P(t). For x, the product of the Hessian and t:
    −γ·r²·(mean(z·t)·P(w) + mean(z·w)·P(t) + z·m). In evaluation P(a) = a, and x has none.
    """
    x, w, t, gamma, _, mean, var = map(float64, (x, w, t, *state.values()))
    mean, var = (mean, var) if evaluate else moments(x)
    z, r = normalize(x, mean, var, eps), 1 / np.sqrt(var + eps)
    if evaluate:
        return {"gamma": r * (w * t).sum(axis=0), "x": 0 * x, "w": gamma * r * t}
    of_w, of_t = (z * w).mean(axis=0), (z * t).mean(axis=0)
    rest_of_w, rest_of_t = w - w.mean(axis=0) - z * of_w, t - t.mean(axis=0) - z * of_t
    m = (w * rest_of_t).mean(axis=0)
    hessian = -gamma * r**2 * (of_t * rest_of_w + of_w * rest_of_t + z * m)
    return {"gamma": len(x) * r * m, "x": hessian, "w": gamma * r * rest_of_t}
