"""Mistakes in the scale of the gradient with respect to x, and in its mode."""

from __future__ import annotations

from conformance.diagnosis.approximate import absolute, root, zeros_like
from conformance.diagnosis.backward_model import BackwardModel
from conformance.diagnosis.fault_model import backward

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005, PLW0108

_scale = BackwardModel.gradient_scale
_input = BackwardModel.input_gradient

backward(
    "backward-without-projection",
    "dx lacks the term through the variance",
    "γ·r·(w − mean(w))",
    projection_term=lambda m, w: zeros_like(w),
)
backward(
    "backward-without-centring",
    "dx lacks the term through the mean",
    "γ·r·(w − z·mean(w·z))",
    centring_term=lambda m, w: zeros_like(w[0]),
)
backward(
    "statistics-stopped",
    "dx is that of constant statistics: both terms through them are missing",
    "γ·r·w",
    projection_term=lambda m, w: zeros_like(w),
    centring_term=lambda m, w: zeros_like(w[0]),
)
backward(
    "backward-of-training-in-evaluation",
    "evaluation is differentiated with the terms of training",
    evaluation_gradient=lambda m, w: _input(m, w),
)
backward(
    "backward-of-training-everywhere",
    "evaluation is differentiated as training is, batch statistics included",
    evaluation_gradient=lambda m, w: _input(m.after(m.x, training=True), w),
)
backward(
    "backward-with-running-statistics",
    "training is differentiated with the running statistics, as evaluation is",
    input_gradient=lambda m, w: _scale(m.after(m.x, training=False)) * w,
)
backward("backward-without-gamma", "γ is missing in dx", "r·(w − …)", gradient_scale=lambda m: m.r)
backward(
    "backward-gamma-twice",
    "γ is multiplied into dx twice",
    gradient_scale=lambda m: m.gamma * m.gamma * m.r,
)
backward(
    "backward-gamma-absolute",
    "dx takes the absolute value of γ",
    gradient_scale=lambda m: absolute(m.gamma) * m.r,
)
backward("backward-gamma-inverted", "dx is divided by γ", gradient_scale=lambda m: m.r / m.gamma)
backward(
    "backward-gamma-of-the-first",
    "dx takes the γ of the first feature for all",
    gradient_scale=lambda m: m.gamma[0] * m.r,
)
backward(
    "backward-without-inverse-std", "1/√(v+ε) is missing in dx", gradient_scale=lambda m: m.gamma
)
backward(
    "backward-inverse-std-twice",
    "1/√(v+ε) is multiplied into dx twice",
    gradient_scale=lambda m: m.gamma * m.r * m.r,
)
backward(
    "backward-std-for-inverse",
    "dx is multiplied by √(v+ε) instead of divided",
    gradient_scale=lambda m: m.gamma / m.r,
)
backward(
    "backward-inverse-std-as-variance",
    "the saved 1/√(v+ε) is taken for the variance and inverted once more",
    gradient_scale=lambda m: m.gamma / root(m.r + m.eps),
)
backward(
    "backward-variance-as-inverse-std",
    "dx is multiplied by the variance",
    gradient_scale=lambda m: m.gamma * m.var,
)
backward(
    "backward-eps-missing",
    "ε is missing in the scale of dx",
    gradient_scale=lambda m: m.gamma / root(m.var),
)
backward(
    "backward-eps-twice",
    "ε is added twice in the scale of dx",
    gradient_scale=lambda m: m.gamma / root(m.var + 2 * m.eps),
)
backward(
    "backward-eps-outside",
    "ε is added outside the root in the scale of dx",
    gradient_scale=lambda m: m.gamma / (root(m.var) + m.eps),
)
backward(
    "backward-unbiased-variance",
    "dx is scaled with the unbiased variance",
    gradient_scale=lambda m: m.gamma / root(m.var * m.bessel + m.eps),
)
backward(
    "batch-variance-in-evaluation-backward",
    "dx of evaluation is scaled with the variance of the batch",
    evaluation_gradient=lambda m, w: _scale(m.after(m.x, training=True)) * w,
)
