"""What a model computes in a backward pass, step by step, and what wrong gradients imply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from conformance.diagnosis.approximate import Approximate, exact
from conformance.diagnosis.backward_model import BackwardModel, gradients
from conformance.diagnosis.lines.steps import Quantities, Wrong, clearly_wrong, compare, inputs
from conformance.diagnosis.observe import Observation
from conformance.diagnosis.reference_model import IMPOSSIBLE
from conformance.diagnosis.scopes import Part, steps_of
from conformance.numerics.bounds import U
from conformance.numerics.conventions import Conventions

_RESULTS = {"dγ": "gradient of gamma", "dβ": "gradient of beta", "dx": "gradient of x"}
_INSIDE = "dx ÷ γ/√(v+ε)"

_TERMS = ("Σ w·z", "mean of w·z", "mean of w", "Σ w", "z · mean of w·z", _INSIDE, f"N · {_INSIDE}")
"""Quantities that many compute with γ·w in the place of w."""

_STEPS = frozenset({"w as used", "z", "γ/√(v+ε)", "mean of w", "z · mean of w·z", _INSIDE})
"""Quantities that every backward pass uses in some form."""

ORDER = (
    *("w as used", "v", "v + ε", "√(v+ε)", "z", "1/√(v+ε)", "γ/√(v+ε)"),
    *(name for term in _TERMS for name in (term, f"γ · {term}")),
    *("d(1/√(v+ε))", "dv", "dγ", "dβ", "dx"),
)
"""Quantities of a backward pass, in the order in which it computes them."""


def find_wrong_gradients(
    parts: Sequence[Part],
    others: Sequence[Part],
    conventions: Conventions,
    observation: Observation,
) -> list[Wrong]:
    """Return the values of a backward pass that a mistake changes, in order.

    Args:
        parts: All mistakes.
        others: The mistakes without the one.
        conventions: What the implementation declares.
        observation: The call that is differentiated, and the state before it.
    """
    made, right, truth = (
        backward_quantities(p, conventions, observation) for p in (parts, others, ())
    )
    other = backward_quantities((), conventions, _in_other_mode(observation))
    known = [*inputs(observation).values(), *right.values(), *truth.values(), *other.values()]
    return [*clearly_wrong(ORDER, made, right, known, _is_mixed_up)]


def find_implied_gradients(observation: Observation, conventions: Conventions) -> list[Wrong]:
    """Return the values that wrong gradients imply, if only one step is wrong.

    Args:
        observation: The call that is differentiated, and its gradients.
        conventions: What the implementation declares.
    """
    truth = backward_quantities((), conventions, observation)
    found, call, before = observation.gradients, observation.call, observation.before
    if not truth or found is None or call is None or before is None:
        return []
    seen = {
        name: Approximate(value, U * np.abs(value) + truth[name].error)
        for name, given in _RESULTS.items()
        if name in truth
        and (value := np.asarray(found[given], np.float64)).shape == truth[name].shape
    }
    other = backward_quantities((), conventions, _in_other_mode(observation))
    known = [*inputs(observation).values(), *truth.values(), *other.values()]
    with np.errstate(all="ignore"):
        implied = dict(seen)
        if "dx" in seen and compare("dx", seen["dx"], truth["dx"]):
            gamma = exact(np.asarray(before.gamma, np.float64))
            implied |= _with_gamma(_imply(seen["dx"], truth, gamma, observation), gamma)
        return [*clearly_wrong(ORDER, implied, truth, known, _is_mixed_up)]


def _in_other_mode(observation: Observation) -> Observation:
    """Return a call in the other mode: what is right there is computed correctly."""
    assert observation.call is not None, "a call is differentiated"  # noqa: S101
    return replace(observation, call=replace(observation.call, flag=observation.call.training))


def _is_mixed_up(name: str, wrong: Wrong | None) -> bool:
    """Return whether a step uses a value that is right elsewhere."""
    return wrong is not None and name in _STEPS and bool(np.ptp(wrong.predicted.value))


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


def _imply(
    dx: Approximate, truth: Quantities, gamma: Approximate, observation: Observation
) -> Quantities:
    """Return what dx implies for each step, where that step alone could be wrong."""
    call, eps = observation.call, observation.config.eps
    assert call is not None, "a call is differentiated"  # noqa: S101
    assert call.cotangent is not None, "a call is differentiated"  # noqa: S101
    w = exact(call.cotangent.astype(np.float64))
    if not call.training:
        scale = _equal_in_all_rows(dx / w)
        return {} if scale is None else _of_scale(scale, scale / gamma, eps)
    scale = _equal_in_all_rows(dx / truth[_INSIDE])
    if scale is not None:
        return _of_scale(scale, scale / gamma, eps)
    rows, found = call.x.shape[0], _of_inside(dx, truth["γ/√(v+ε)"], call.x.shape[0])
    missing = w - found[_INSIDE]
    mean = _equal_in_all_rows(missing - truth["z · mean of w·z"])
    if mean is not None:
        return found | {"mean of w": mean, "Σ w": rows * mean}
    projection = missing - truth["mean of w"]
    return found | {
        name: value
        for name, value in _of_means(truth["mean of w"], projection, truth["z"], rows).items()
        if name not in {"mean of w", "Σ w"}
    }


def _equal_in_all_rows(array: Approximate) -> Approximate | None:
    """Return the row that all rows of (N, D) are, within their errors; None if they differ."""
    row = array[int(np.argmin(array.error.max(axis=1)))]
    gap = np.abs(array.value - row.value)
    return row if (gap <= 2 * (array.error + row.error)).all() else None
