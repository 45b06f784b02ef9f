"""Mistakes in the scale of the gradient with respect to x, and in its mode."""

from __future__ import annotations

from conformance.diagnosis.approximate import (
    absolute,
    root,
)
from conformance.diagnosis.backward_model import BACKWARD, Gradients

# Steps take all that their place in the model hands over; loop variables are bound as defaults.
# ruff: noqa: ARG005, PLW0108
from conformance.diagnosis.fault_models.backward import mistake, of_batch, zero

_scale = BACKWARD["gradient_scale"]
_input = BACKWARD["input_gradient"]

mistake(
    "without-projection",
    "dx lacks the term through the variance",
    "γ·r·(w − mean(w))",
    projection=lambda s, w: zero(w),
)
mistake(
    "without-centring",
    "dx lacks the term through the mean",
    "γ·r·(w − z·mean(w·z))",
    centre=lambda s, w: zero(w[0]),
)
mistake(
    "without-both-terms",
    "dx is that of constant statistics: both terms through them are missing",
    "γ·r·w",
    projection=lambda s, w: zero(w),
    centre=lambda s, w: zero(w[0]),
)
mistake(
    "of-training-in-evaluation",
    "evaluation is differentiated with the terms of training",
    evaluation_gradient=lambda s, w: _input(s, w),
)
mistake(
    "of-training-everywhere",
    "evaluation is differentiated as training is, batch statistics included",
    evaluation_gradient=lambda s, w: _input(of_batch(s), w),
)
mistake(
    "of-evaluation-in-training",
    "training is differentiated with the running statistics, as evaluation is",
    input_gradient=lambda s, w: Gradients.evaluation_of(s) * w,
)
mistake("gamma-missing", "γ is missing in dx", "r·(w − …)", gradient_scale=lambda s: s.r)
mistake(
    "gamma-twice", "γ is multiplied into dx twice", gradient_scale=lambda s: s.gamma * s.gamma * s.r
)
mistake(
    "gamma-absolute",
    "dx takes the absolute value of γ",
    gradient_scale=lambda s: absolute(s.gamma) * s.r,
)
mistake("gamma-inverted", "dx is divided by γ", gradient_scale=lambda s: s.r / s.gamma)
mistake(
    "gamma-of-the-first",
    "dx takes the γ of the first feature for all",
    gradient_scale=lambda s: s.gamma[0] * s.r,
)
mistake("inverse-std-missing", "1/√(v+ε) is missing in dx", gradient_scale=lambda s: s.gamma)
mistake(
    "inverse-std-twice",
    "1/√(v+ε) is multiplied into dx twice",
    gradient_scale=lambda s: s.gamma * s.r * s.r,
)
mistake(
    "std-for-inverse",
    "dx is multiplied by √(v+ε) instead of divided",
    gradient_scale=lambda s: s.gamma / s.r,
)
mistake(
    "inverse-std-as-variance",
    "the saved 1/√(v+ε) is taken for the variance and inverted once more",
    gradient_scale=lambda s: s.gamma / root(s.r + s.eps),
)
mistake(
    "variance-as-inverse-std",
    "dx is multiplied by the variance",
    gradient_scale=lambda s: s.gamma * s.var,
)
mistake(
    "eps-missing", "ε is missing in the scale of dx", gradient_scale=lambda s: s.gamma / root(s.var)
)
mistake(
    "eps-twice",
    "ε is added twice in the scale of dx",
    gradient_scale=lambda s: s.gamma / root(s.var + 2 * s.eps),
)
mistake(
    "eps-outside",
    "ε is added outside the root in the scale of dx",
    gradient_scale=lambda s: s.gamma / (root(s.var) + s.eps),
)
mistake(
    "unbiased-variance",
    "dx is scaled with the unbiased variance",
    gradient_scale=lambda s: s.gamma / root(s.var * s.bessel + s.eps),
)
mistake(
    "batch-variance-in-evaluation",
    "dx of evaluation is scaled with the variance of the batch",
    evaluation_gradient=lambda s, w: _scale(of_batch(s)) * w,
)
