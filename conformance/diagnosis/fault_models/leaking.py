"""Gradients that are clipped, scaled or cut, and gradients that leak or get lost."""

from __future__ import annotations

from typing import Any

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
import numpy as np

from conformance.diagnosis.approximate import (
    Approximate,
    average,
    clip,
    exact,
    root,
    total,
    where,
    zeros_like,
)
from conformance.diagnosis.backward_model import BackwardModel
from conformance.diagnosis.fault_model import Parameter, alternative, family

_projection = BackwardModel.projection_term
_scale = BackwardModel.gradient_scale

_LIMITS = Parameter((0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5, 1e6))
family(
    "gradient-clipped",
    "dx is clipped to ±{c}",
    _LIMITS,
    lambda c: {"finish_gradient": lambda m, dx: clip(dx, -c, c)},
    needs=1,
)
family(
    "cotangent-clipped",
    "the cotangent is clipped to ±{c}",
    _LIMITS,
    lambda c: {"cotangent": lambda m, w: clip(w, -c, c)},
    needs=1,
)
_FACTORS = Parameter((-10, -1.5, -0.5, -0.01, 0.01, 0.1, 0.3, 0.9, 0.999, 1.001, 1.1, 3, 10, 100))
family(
    "backward-scaled",
    "dx is {c} times what it should be",
    _FACTORS,
    lambda c: {"gradient_scale": lambda m: c * _scale(m)},
)
family(
    "backward-projection-scaled",
    "the term through the variance is {c} times what it should be",
    _FACTORS,
    lambda c: {"projection_term": lambda m, w: c * _projection(m, w)},
)
family(
    "backward-centring-scaled",
    "the term through the mean is {c} times what it should be",
    _FACTORS,
    lambda c: {"centring_term": lambda m, w: c * average(w, 0)[0]},
)
family(
    "backward-eps",
    "ε is {c} in the scale of dx",
    Parameter(tuple(10.0**k for k in range(-12, 2))),
    lambda c: {"gradient_scale": lambda m: m.gamma / root(m.var + c)},
)
_BLOCK = Parameter((2, 4, 8, 16, 32), threshold=True)


def _full(w: Approximate, block: float) -> int:
    rows = w.shape[0]
    return int(rows - rows % block) or rows


family(
    "backward-without-tail",
    "rows beyond the last full block of {c} are left out of the mean of w·z",
    _BLOCK,
    lambda c: {
        "projection_term": lambda m, w: m.z * (total((w * m.z)[: _full(w, c)], 0)[0] / m.rows)
    },
    needs=1,
)
family(
    "gain-gradient-without-tail",
    "rows beyond the last full block of {c} are left out of dγ",
    _BLOCK,
    lambda c: {"gamma_gradient": lambda m, w: total((w * m.z)[: _full(w, c)], 0)[0]},
    needs=1,
)
family(
    "offset-gradient-without-tail",
    "rows beyond the last full block of {c} are left out of dβ",
    _BLOCK,
    lambda c: {"beta_gradient": lambda m, w: total(w[: _full(w, c)], 0)[0]},
    needs=1,
)
family(
    "backward-centring-tail",
    "rows beyond the last full block of {c} are left out of the mean of w",
    _BLOCK,
    lambda c: {"centring_term": lambda m, w: total(w[: _full(w, c)], 0)[0] / m.rows},
    needs=1,
)

_STOP = "put stop_gradient around what is stored"


def _through_mean(m: BackwardModel, of_mean: Approximate) -> Approximate:
    return (1 - m.momentum) * of_mean / m.rows + zeros_like(m.x)


def _through_var(m: BackwardModel, of_var: Approximate) -> Approximate:
    return 2 * (1 - m.momentum) * of_var * (m.x - m.mean) / m.rows


_LEAKS: dict[str, tuple[str, Any]] = {
    "stored-mean-carries-gradient": (
        "the stored mean carries a gradient",
        lambda m, of_mean, of_var: _through_mean(m, of_mean),
    ),
    "stored-variance-carries-gradient": (
        "the stored variance carries a gradient",
        lambda m, of_mean, of_var: _through_var(m, of_var),
    ),
    "statistics-carry-gradient": (
        "the stored statistics carry gradients",
        lambda m, of_mean, of_var: _through_mean(m, of_mean) + _through_var(m, of_var),
    ),
}
for _name, (_sentence, _leak) in _LEAKS.items():
    alternative(
        _name,
        _sentence,
        remedy=_STOP,
        needs=2,
        statistics_gradient=_leak,
        convention="Equinox, Haiku and Linen let it through; flax NNX does not.",
    )
alternative(
    "backward-one-pass",
    "the backward pass computes the variance in one pass, as E[x²] − E[x]²",
    remedy="use the variance of the forward pass",
    needs=1,
    widens=True,
    backward=True,
)
alternative(
    "root-of-the-variance",
    "1/√(σ²+ε) with σ = √v: the derivative of √v at zero is infinite",
    remedy="take the root once, of v + ε",
    needs=1,
    finish_gradient=lambda m, dx: where(m.var.value + 0 * dx.value == 0, exact(np.nan), dx),
)
alternative(
    "update-lost-under-grad",
    "the update of the running statistics is lost while gradients are taken",
    needs=1,
    updates=lambda m: 0,
)
alternative(
    "update-doubled-under-grad",
    "the running statistics are updated twice while gradients are taken",
    needs=1,
    updates=lambda m: 2,
)
