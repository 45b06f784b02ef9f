"""Clipped, scaled and cut gradients, and those that leak or get lost."""

from __future__ import annotations

# Steps take all that their place in the model hands over; loop variables are bound as defaults.
# ruff: noqa: ARG005
import numpy as np

from conformance.diagnosis.approximate import (
    Approximate,
    average,
    clipped,
    exact,
    root,
    total,
    where,
)
from conformance.diagnosis.backward_model import BACKWARD, Saved
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.fault_models.backward import zero

_projection = BACKWARD["projection"]
_scale = BACKWARD["gradient_scale"]

_LIMITS = Parameter((0.01, 0.1, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 1e4, 1e5, 1e6))
family(
    "gradient-clipped",
    "dx is clipped to ±{c}",
    "",
    _LIMITS,
    lambda c: {"finished_gradient": lambda s, dx: clipped(dx, -c, c)},
    needs=1,
)
family(
    "gradient-cotangent-clipped",
    "the cotangent is clipped to ±{c}",
    "",
    _LIMITS,
    lambda c: {"cotangent": lambda s, w: clipped(w, -c, c)},
    needs=1,
)
_FACTORS = Parameter((-10, -1.5, -0.5, -0.01, 0.01, 0.1, 0.3, 0.9, 0.999, 1.001, 1.1, 3, 10, 100))
family(
    "gradient-scaled",
    "dx is {c} times what it should be",
    "",
    _FACTORS,
    lambda c: {"gradient_scale": lambda s: c * _scale(s)},
)
family(
    "gradient-projection-scaled",
    "the term through the variance is {c} times what it should be",
    "",
    _FACTORS,
    lambda c: {"projection": lambda s, w: c * _projection(s, w)},
)
family(
    "gradient-centring-scaled",
    "the term through the mean is {c} times what it should be",
    "",
    _FACTORS,
    lambda c: {"centre": lambda s, w: c * average(w, 0)[0]},
)
family(
    "gradient-eps",
    "ε is {c} in the scale of dx",
    "",
    Parameter(tuple(10.0**k for k in range(-12, 2))),
    lambda c: {"gradient_scale": lambda s: s.gamma / root(s.var + c)},
)
_BLOCK = Parameter((2, 4, 8, 16, 32), threshold=True)


def _full(w: Approximate, block: float) -> int:
    rows = w.shape[0]
    return int(rows - rows % block) or rows


family(
    "gradient-projection-tail",
    "rows beyond the last full block of {c} are left out of the mean of w·z",
    "",
    _BLOCK,
    lambda c: {"projection": lambda s, w: s.z * (total((w * s.z)[: _full(w, c)], 0)[0] / s.rows)},
    needs=1,
)
family(
    "gradient-of-gamma-tail",
    "rows beyond the last full block of {c} are left out of dγ",
    "",
    _BLOCK,
    lambda c: {"gain_gradient": lambda s, w: total((w * s.z)[: _full(w, c)], 0)[0]},
    needs=1,
)
family(
    "gradient-of-beta-tail",
    "rows beyond the last full block of {c} are left out of dβ",
    "",
    _BLOCK,
    lambda c: {"offset_gradient": lambda s, w: total(w[: _full(w, c)], 0)[0]},
    needs=1,
)
family(
    "gradient-centring-tail",
    "rows beyond the last full block of {c} are left out of the mean of w",
    "",
    _BLOCK,
    lambda c: {"centre": lambda s, w: total(w[: _full(w, c)], 0)[0] / s.rows},
    needs=1,
)

_STOP = "put stop_gradient around what is stored"


def _through_mean(s: Saved) -> Approximate:
    return (1 - s.model.momentum) * s.of_mean / s.rows + zero(s.x)


def _through_var(s: Saved) -> Approximate:
    return 2 * (1 - s.model.momentum) * s.of_var * (s.x - s.mean) / s.rows


for _name, _sentence, _leak in (
    ("mean", "the stored mean carries a gradient", _through_mean),
    ("variance", "the stored variance carries a gradient", _through_var),
    (
        "statistics",
        "the stored statistics carry gradients",
        lambda s: _through_mean(s) + _through_var(s),
    ),
):
    alternative(
        f"gradient-through-stored-{_name}",
        _sentence,
        remedy=_STOP,
        needs=2,
        through_statistics=_leak,
        convention="Equinox, Haiku and Linen let it through; flax NNX does not.",
    )
alternative(
    "gradient-one-pass",
    "the backward pass computes the variance in one pass, as E[x²] − E[x]²",
    remedy="use the variance of the forward pass",
    needs=1,
    widens=True,
)
alternative(
    "root-of-the-variance",
    "1/√(σ²+ε) with σ = √v: the derivative of √v at zero is infinite",
    remedy="take the root once, of v + ε",
    needs=1,
    finished_gradient=lambda s, dx: where(s.var.value + 0 * dx.value == 0, exact(np.nan), dx),
)
alternative(
    "update-lost-under-grad",
    "the update of the running statistics is lost while gradients are taken",
    needs=1,
    updates=lambda s: 0,
)
alternative(
    "update-doubled-under-grad",
    "the running statistics are updated twice while gradients are taken",
    needs=1,
    updates=lambda s: 2,
)
