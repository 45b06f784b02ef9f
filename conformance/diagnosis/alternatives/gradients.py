"""Mistakes of hand-written backward passes, and gradients that stop or leak."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.diagnosis.alternatives.batch import rounded_to
from conformance.diagnosis.approximate import (
    Approximate,
    absolute,
    average,
    clipped,
    exact,
    mapped,
    root,
    total,
    where,
)
from conformance.diagnosis.gradient import BACKWARD, Gradients, Saved
from conformance.diagnosis.registry import Parameter, alternative, family

_projection, _scale, _input = (
    BACKWARD["projection"],
    BACKWARD["gradient_scale"],
    BACKWARD["input_gradient"],
)
_gain = BACKWARD["gain_gradient"]
_TERMS = "dx = γ·r·(w − mean(w) − z·mean(w·z))"


def _zero(a: Approximate) -> Approximate:
    return exact(np.zeros(a.shape))


def _mistake(identity: str, sentence: str, formula: str = "", **steps: Callable[..., Any]) -> None:
    alternative(f"gradient-{identity}", sentence, formula, remedy=_TERMS, needs=2, **steps)


def _batch(s: Saved) -> Saved:
    """Return what training would have saved."""
    return Gradients.saved_of(s.model, s.x, training=True)


_mistake(
    "without-projection",
    "dx lacks the term through the variance",
    "γ·r·(w − mean(w))",
    projection=lambda s, w: _zero(w),
)
_mistake(
    "without-centring",
    "dx lacks the term through the mean",
    "γ·r·(w − z·mean(w·z))",
    centre=lambda s, w: _zero(w[0]),
)
_mistake(
    "without-both-terms",
    "dx is that of constant statistics: both terms through them are missing",
    "γ·r·w",
    projection=lambda s, w: _zero(w),
    centre=lambda s, w: _zero(w[0]),
)
_mistake(
    "of-training-in-evaluation",
    "evaluation is differentiated with the terms of training",
    evaluation_gradient=lambda s, w: _input(s, w),
)
_mistake(
    "of-training-everywhere",
    "evaluation is differentiated as training is, batch statistics included",
    evaluation_gradient=lambda s, w: _input(_batch(s), w),
)
_mistake(
    "of-evaluation-in-training",
    "training is differentiated with the running statistics, as evaluation is",
    input_gradient=lambda s, w: Gradients.evaluation_of(s) * w,
)
_mistake("gamma-missing", "γ is missing in dx", "r·(w − …)", gradient_scale=lambda s: s.r)
_mistake(
    "gamma-twice", "γ is multiplied into dx twice", gradient_scale=lambda s: s.gamma * s.gamma * s.r
)
_mistake(
    "gamma-absolute",
    "dx takes the absolute value of γ",
    gradient_scale=lambda s: absolute(s.gamma) * s.r,
)
_mistake("gamma-inverted", "dx is divided by γ", gradient_scale=lambda s: s.r / s.gamma)
_mistake(
    "gamma-of-the-first",
    "dx takes the γ of the first feature for all",
    gradient_scale=lambda s: s.gamma[0] * s.r,
)
_mistake("inverse-std-missing", "1/√(v+ε) is missing in dx", gradient_scale=lambda s: s.gamma)
_mistake(
    "inverse-std-twice",
    "1/√(v+ε) is multiplied into dx twice",
    gradient_scale=lambda s: s.gamma * s.r * s.r,
)
_mistake(
    "std-for-inverse",
    "dx is multiplied by √(v+ε) instead of divided",
    gradient_scale=lambda s: s.gamma / s.r,
)
_mistake(
    "inverse-std-as-variance",
    "the saved 1/√(v+ε) is taken for the variance and inverted once more",
    gradient_scale=lambda s: s.gamma / root(s.r + s.eps),
)
_mistake(
    "variance-as-inverse-std",
    "dx is multiplied by the variance",
    gradient_scale=lambda s: s.gamma * s.var,
)
_mistake(
    "eps-missing", "ε is missing in the scale of dx", gradient_scale=lambda s: s.gamma / root(s.var)
)
_mistake(
    "eps-twice",
    "ε is added twice in the scale of dx",
    gradient_scale=lambda s: s.gamma / root(s.var + 2 * s.eps),
)
_mistake(
    "eps-outside",
    "ε is added outside the root in the scale of dx",
    gradient_scale=lambda s: s.gamma / (root(s.var) + s.eps),
)
_mistake(
    "unbiased-variance",
    "dx is scaled with the unbiased variance",
    gradient_scale=lambda s: s.gamma / root(s.var * s.bessel + s.eps),
)
_mistake(
    "batch-variance-in-evaluation",
    "dx of evaluation is scaled with the variance of the batch",
    evaluation_gradient=lambda s, w: _scale(_batch(s)) * w,
)
_mistake(
    "unbiased-centring",
    "the term through the mean is averaged with N−1",
    centre=lambda s, w: average(w, 0)[0] * s.bessel,
)
_mistake(
    "unbiased-projection",
    "the term through the variance is averaged with N−1",
    projection=lambda s, w: _projection(s, w) * s.bessel,
)
_mistake(
    "unbiased-terms",
    "both terms through the statistics are averaged with N−1",
    centre=lambda s, w: average(w, 0)[0] * s.bessel,
    projection=lambda s, w: _projection(s, w) * s.bessel,
)
_mistake(
    "centring-summed",
    "the term through the mean is summed, not averaged",
    centre=lambda s, w: total(w, 0)[0],
)
_mistake(
    "projection-summed",
    "the term through the variance is summed, not averaged",
    projection=lambda s, w: _projection(s, w) * float(w.shape[0]),
)
_mistake(
    "terms-summed",
    "both terms through the statistics are summed, not averaged",
    centre=lambda s, w: total(w, 0)[0],
    projection=lambda s, w: _projection(s, w) * float(w.shape[0]),
)
_mistake(
    "projection-to-the-fourth",
    "the term through the variance has one power of 1/√(v+ε) too many",
    projection=lambda s, w: _projection(s, w) * s.r,
)
_mistake(
    "projection-two-powers-more",
    "the term through the variance has two powers of 1/√(v+ε) too many",
    projection=lambda s, w: _projection(s, w) * s.r * s.r,
)
_mistake(
    "projection-squared",
    "the term through the variance has one power of 1/√(v+ε) too few",
    projection=lambda s, w: _projection(s, w) / s.r,
)
_mistake(
    "projection-two-powers-less",
    "the term through the variance has two powers of 1/√(v+ε) too few",
    projection=lambda s, w: _projection(s, w) / s.r / s.r,
)
_mistake(
    "projection-doubled",
    "the term through the variance is twice what it should be: the ½ is forgotten",
    projection=lambda s, w: 2 * _projection(s, w),
)
_mistake(
    "projection-halved",
    "the term through the variance is half of what it should be",
    projection=lambda s, w: 0.5 * _projection(s, w),
)
_mistake(
    "projection-sign",
    "the term through the variance has the wrong sign",
    projection=lambda s, w: -_projection(s, w),
)
_mistake(
    "centring-sign",
    "the term through the mean has the wrong sign",
    centre=lambda s, w: -average(w, 0)[0],
)
_mistake(
    "projection-of-all-features",
    "the mean in the term through the variance is taken over the features, too",
    projection=lambda s, w: s.z * average(w * s.z),
)
_mistake(
    "centring-of-all-features",
    "the mean in the term through the mean is taken over the features, too",
    centre=lambda s, w: average(w)[0],
)
_mistake(
    "projection-on-output",
    "γ·z stands where z belongs in the term through the variance",
    projection=lambda s, w: s.gamma * s.z * average(w * s.gamma * s.z, 0)[0],
)
_mistake(
    "projection-of-output",
    "γ·z stands for one z in the term through the variance",
    projection=lambda s, w: s.z * average(w * s.gamma * s.z, 0)[0],
)
_mistake(
    "projection-uncentred",
    "x·r stands where z belongs in the term through the variance",
    projection=lambda s, w: s.x * s.r * average(w * s.x * s.r, 0)[0],
)
_mistake(
    "projection-of-x",
    "x stands where z belongs in the mean of w·z",
    projection=lambda s, w: s.z * average(w * s.x, 0)[0],
)
_mistake(
    "projection-without-eps",
    "the term through the variance divides by √v, without ε",
    projection=lambda s, w: _without_eps(s, w),
)
_mistake(
    "projection-clamped",
    "no gradient goes through a variance below ε",
    projection=lambda s, w: where(s.var.value > s.eps, _projection(s, w), 0.0),
)
_mistake(
    "averaged",
    "dx is divided by N, as if the loss were a mean",
    gradient_scale=lambda s: _scale(s) / s.rows,
)
_mistake("summed", "dx is multiplied by N", gradient_scale=lambda s: _scale(s) * s.rows)
_mistake("negated", "dx has the wrong sign", gradient_scale=lambda s: -_scale(s))
_mistake(
    "stopped",
    "no gradient reaches x",
    input_gradient=lambda s, w: _zero(w),
    evaluation_gradient=lambda s, w: _zero(w),
)
_mistake(
    "handed-through",
    "dx is the cotangent itself",
    input_gradient=lambda s, w: w,
    evaluation_gradient=lambda s, w: w,
)


def _without_eps(s: Saved, w: Approximate) -> Approximate:
    z = (s.x - s.mean) / root(s.var)
    return z * average(w * z, 0)[0]


_mistake(
    "of-gamma-stopped", "no gradient reaches γ", "dγ = 0", gain_gradient=lambda s, w: _zero(s.gamma)
)
_mistake(
    "of-beta-stopped",
    "no gradient reaches β",
    "dβ = 0",
    offset_gradient=lambda s, w: _zero(s.gamma),
)
_mistake(
    "of-affine-stopped",
    "no gradient reaches γ and β",
    gain_gradient=lambda s, w: _zero(s.gamma),
    offset_gradient=lambda s, w: _zero(s.gamma),
)
_mistake(
    "of-gamma-of-x",
    "dγ takes x instead of z",
    "dγ = Σ w·x",
    gain_gradient=lambda s, w: total(w * s.x, 0)[0],
)
_mistake(
    "of-gamma-without-inverse-std",
    "dγ lacks 1/√(v+ε)",
    "dγ = Σ w·(x−μ)",
    gain_gradient=lambda s, w: total(w * (s.x - s.mean), 0)[0],
)
_mistake(
    "of-gamma-inverse-std-twice",
    "dγ has 1/√(v+ε) twice",
    gain_gradient=lambda s, w: _gain(s, w) * s.r,
)
_mistake(
    "of-gamma-uncentred",
    "dγ is not centred",
    "dγ = Σ w·x·r",
    gain_gradient=lambda s, w: total(w * s.x * s.r, 0)[0],
)
_mistake(
    "of-gamma-of-output",
    "dγ takes γ·z instead of z",
    "dγ = Σ w·γ·z",
    gain_gradient=lambda s, w: _gain(s, w) * s.gamma,
)
_mistake(
    "of-gamma-of-whole-output",
    "dγ takes y instead of z",
    "dγ = Σ w·y",
    gain_gradient=lambda s, w: total(w * (s.gamma * s.z + s.beta), 0)[0],
)
_mistake(
    "of-gamma-of-the-batch-in-evaluation",
    "dγ uses the statistics of the batch in evaluation, too",
    gain_gradient=lambda s, w: _gain(_batch(s), w),
)
_mistake(
    "of-gamma-of-running",
    "dγ uses the running statistics in training, too",
    gain_gradient=lambda s, w: _gain(Gradients.saved_of(s.model, s.x, training=False), w),
)
_mistake(
    "of-gamma-over-features",
    "dγ is summed over the features where N = D",
    gain_gradient=lambda s, w: total(w * s.z, 1)[:, 0] if s.square else _gain(s, w),
)
_mistake(
    "of-beta-over-features",
    "dβ is summed over the features where N = D",
    offset_gradient=lambda s, w: total(w, 1)[:, 0] if s.square else total(w, 0)[0],
)
_mistake(
    "of-affine-exchanged",
    "dγ and dβ are exchanged",
    gain_gradient=lambda s, w: total(w, 0)[0],
    offset_gradient=lambda s, w: _gain(s, w),
)
for _array, _step, _letter in (("gamma", "gain_gradient", "dγ"), ("beta", "offset_gradient", "dβ")):
    _right = BACKWARD[_step]
    _mistake(
        f"of-{_array}-averaged",
        f"{_letter} is averaged over the batch, not summed",
        **{_step: lambda s, w, f=_right: f(s, w) / s.rows},
    )
    _mistake(
        f"of-{_array}-negated",
        f"{_letter} has the wrong sign",
        **{_step: lambda s, w, f=_right: -f(s, w)},
    )
    _mistake(
        f"of-{_array}-scaled-by-gamma",
        f"{_letter} is multiplied by γ",
        **{_step: lambda s, w, f=_right: f(s, w) * s.gamma},
    )
    _mistake(
        f"of-{_array}-of-last-rows",
        f"{_letter} leaves out the first row",
        **{_step: lambda s, w, f=_right: f(s, w) - (w * s.z if f is _gain else w)[0]},
    )
    _mistake(
        f"of-{_array}-of-first-rows",
        f"{_letter} leaves out the last row",
        **{_step: lambda s, w, f=_right: f(s, w) - (w * s.z if f is _gain else w)[-1]},
    )
_mistake(
    "of-affine-averaged",
    "dγ and dβ are averaged over the batch, not summed",
    gain_gradient=lambda s, w: _gain(s, w) / s.rows,
    offset_gradient=lambda s, w: average(w, 0)[0],
)
for _kind in ("bfloat16", "float16"):
    _round = rounded_to(_kind)
    _mistake(
        f"cotangent-{_kind}",
        f"the cotangent is rounded to {_kind}",
        cotangent=lambda s, w, f=_round: mapped(f, w),
    )
    _mistake(
        f"residual-{_kind}",
        f"z is kept in {_kind} for the backward pass",
        residual=lambda s, f=_round: s.with_z(mapped(f, s.z)),
    )
    _mistake(
        f"dx-{_kind}",
        f"dx is rounded to {_kind}",
        finished_gradient=lambda s, dx, f=_round: mapped(f, dx),
    )

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
    return (1 - s.model.momentum) * s.of_mean / s.rows + _zero(s.x)


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
