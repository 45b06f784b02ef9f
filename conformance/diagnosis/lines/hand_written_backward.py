"""What a model computes in a backward pass, step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conformance.diagnosis.approximate import Approximate, exact
from conformance.diagnosis.backward_model import BackwardModel, gradients
from conformance.diagnosis.lines.steps import Quantities
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.reference_model import IMPOSSIBLE
from conformance.diagnosis.scopes import Part, steps_of
from conformance.numerics.conventions import Conventions

_RESULTS = {"dγ": "gradient of gamma", "dβ": "gradient of beta", "dx": "gradient of x"}
_INSIDE = "dx ÷ γ/√(v+ε)"

_TERMS = ("Σ w·z", "mean of w·z", "mean of w", "Σ w", "z · mean of w·z", _INSIDE, f"N · {_INSIDE}")
"""Quantities that many compute with γ·w in the place of w."""


def backward_quantities(
    parts: Sequence[Part], conventions: Conventions, observation: Observation
) -> Quantities:
    """Return what a backward pass computes by name; nothing if the model cannot.

    Args:
        parts: The mistakes that the model makes.
        conventions: What the implementation declares.
        observation: The call that is differentiated, and the state before it.
    """
    call, before = observation.call, observation.before
    assert call is not None, "a call is differentiated"  # noqa: S101
    assert call.cotangent is not None, "a call is differentiated"  # noqa: S101
    assert before is not None, "a layer is differentiated"  # noqa: S101
    model = BackwardModel(observation.config, conventions)
    model.install(steps_of(parts, observation))
    model.write(before)
    x, w = call.x.astype(np.float64), call.cotangent.astype(np.float64)
    with np.errstate(all="ignore"):
        try:
            found = gradients(model, x, w, training=call.training)
            results = {name: found[given] for name, given in _RESULTS.items()}
            terms = _terms(model, exact(x), exact(w), training=call.training)
            return {**_with_gamma(terms, model.gamma), **results}
        except IMPOSSIBLE:
            return {}


def _terms(model: BackwardModel, x: Approximate, w: Approximate, *, training: bool) -> Quantities:
    """Return the terms of the gradients."""
    m = model.after(x, training=training)
    m.z = m.residual()
    w = m.cotangent(w)
    scale = m.gradient_scale()
    found = {"w as used": w, "z": m.z, **_of_scale(scale, scale / m.gamma, m.eps)}
    if not training:
        return found
    mean, projection = m.centring_term(w), m.projection_term(w)
    means = _of_means(mean, projection, m.z, m.rows)
    if "Σ w·z" in means:  # what the chain rule takes back to v
        found["d(1/√(v+ε))"] = m.gamma * means["Σ w·z"] / m.r
        found["dv"] = -0.5 * m.r * m.r * m.r * found["d(1/√(v+ε))"]
    return {**found, **means, **_of_inside(m.input_gradient(w), scale, m.rows)}


def _of_means(mean: Approximate, projection: Approximate, z: Approximate, rows: int) -> Quantities:
    found = {"mean of w": mean, "Σ w": rows * mean, "z · mean of w·z": projection}
    factor = _equal_in_all_rows(projection / z)
    return found | ({} if factor is None else {"mean of w·z": factor, "Σ w·z": rows * factor})


def _of_scale(scale: Approximate, inverse: Approximate, eps: float) -> Quantities:
    found = {"γ/√(v+ε)": scale, "1/√(v+ε)": inverse, "√(v+ε)": 1 / inverse}
    found["v + ε"] = found["√(v+ε)"] * found["√(v+ε)"]
    return found | {"v": found["v + ε"] - eps}


def _of_inside(dx: Approximate, scale: Approximate, rows: int) -> Quantities:
    return {_INSIDE: dx / scale, f"N · {_INSIDE}": rows * (dx / scale)}


def _with_gamma(terms: Quantities, gamma: Approximate) -> Quantities:
    return terms | {f"γ · {name}": gamma * terms[name] for name in _TERMS if name in terms}


def _equal_in_all_rows(array: Approximate) -> Approximate | None:
    """Return the row that all rows of (N, D) are, within their errors; None if they differ."""
    row = array[int(np.argmin(array.error.max(axis=1)))]
    gap = np.abs(array.value - row.value)
    return row if (gap <= 2 * (array.error + row.error)).all() else None
