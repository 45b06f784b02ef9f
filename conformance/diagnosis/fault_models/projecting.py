"""Mistakes in the two terms of dx that pass through the statistics."""

from __future__ import annotations

from conformance.diagnosis.approximate import Approximate, average, root, total, where, zeros_like
from conformance.diagnosis.backward_model import BackwardModel
from conformance.diagnosis.fault_model import backward

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005, PLW0108

_projection = BackwardModel.projection_term
_scale = BackwardModel.gradient_scale

backward(
    "backward-unbiased-centring",
    "the term through the mean is averaged with N−1",
    centring_term=lambda m, w: average(w, 0)[0] * m.bessel,
)
backward(
    "backward-unbiased-projection",
    "the term through the variance is averaged with N−1",
    projection_term=lambda m, w: _projection(m, w) * m.bessel,
)
backward(
    "backward-unbiased-terms",
    "both terms through the statistics are averaged with N−1",
    centring_term=lambda m, w: average(w, 0)[0] * m.bessel,
    projection_term=lambda m, w: _projection(m, w) * m.bessel,
)
backward(
    "backward-centring-summed",
    "the term through the mean is summed, not averaged",
    centring_term=lambda m, w: total(w, 0)[0],
)
backward(
    "backward-projection-summed",
    "the term through the variance is summed, not averaged",
    projection_term=lambda m, w: _projection(m, w) * float(w.shape[0]),
)
backward(
    "backward-terms-summed",
    "both terms through the statistics are summed, not averaged",
    centring_term=lambda m, w: total(w, 0)[0],
    projection_term=lambda m, w: _projection(m, w) * float(w.shape[0]),
)
backward(
    "backward-centring-averaged-twice",
    "the term through the mean is divided by N twice",
    centring_term=lambda m, w: average(w, 0)[0] / float(w.shape[0]),
)
backward(
    "backward-projection-averaged-twice",
    "the term through the variance is divided by N twice",
    projection_term=lambda m, w: _projection(m, w) / float(w.shape[0]),
)
backward(
    "backward-terms-averaged-twice",
    "both terms through the statistics are divided by N twice",
    centring_term=lambda m, w: average(w, 0)[0] / float(w.shape[0]),
    projection_term=lambda m, w: _projection(m, w) / float(w.shape[0]),
)
backward(
    "backward-centring-by-features",
    "the term through the mean is divided by D instead of N",
    centring_term=lambda m, w: total(w, 0)[0] / float(w.shape[1]),
)
backward(
    "backward-projection-by-features",
    "the term through the variance is divided by D instead of N",
    projection_term=lambda m, w: _projection(m, w) * (w.shape[0] / w.shape[1]),
)
backward(
    "backward-terms-by-features",
    "both terms through the statistics are divided by D instead of N",
    centring_term=lambda m, w: total(w, 0)[0] / float(w.shape[1]),
    projection_term=lambda m, w: _projection(m, w) * (w.shape[0] / w.shape[1]),
)
backward(
    "backward-cotangent-averaged",
    "the cotangent itself is divided by N: in a bracket that is, it lacks the factor N",
    input_gradient=lambda m, w: (
        _scale(m) * (w / float(w.shape[0]) - m.centring_term(w) - _projection(m, w))
    ),
)
backward(
    "backward-projection-of-plain-mean",
    "mean(w) stands where mean(w·z) belongs",
    projection_term=lambda m, w: m.z * average(w, 0)[0],
)
backward(
    "backward-centring-of-projection",
    "mean(w·z) stands where mean(w) belongs",
    centring_term=lambda m, w: average(w * m.z, 0)[0],
)
backward(
    "backward-means-exchanged",
    "mean(w) and mean(w·z) are exchanged",
    centring_term=lambda m, w: average(w * m.z, 0)[0],
    projection_term=lambda m, w: m.z * average(w, 0)[0],
)
backward(
    "backward-projection-without-z",
    "the term through the variance is not multiplied by z",
    projection_term=lambda m, w: average(w * m.z, 0)[0],
)
backward(
    "backward-projection-without-gamma",
    "the term through the variance is not multiplied by γ",
    input_gradient=lambda m, w: _scale(m) * (w - m.centring_term(w)) - m.r * _projection(m, w),
)
backward(
    "backward-centring-without-gamma",
    "the term through the mean is not multiplied by γ",
    input_gradient=lambda m, w: _scale(m) * (w - _projection(m, w)) - m.r * m.centring_term(w),
)
backward(
    "backward-terms-without-gamma",
    "both terms through the statistics are not multiplied by γ",
    input_gradient=lambda m, w: _scale(m) * w - m.r * (m.centring_term(w) + _projection(m, w)),
)
backward(
    "backward-projection-to-the-fourth",
    "the term through the variance has one power of 1/√(v+ε) too many",
    projection_term=lambda m, w: _projection(m, w) * m.r,
)
backward(
    "backward-projection-two-powers-more",
    "the term through the variance has two powers of 1/√(v+ε) too many",
    projection_term=lambda m, w: _projection(m, w) * m.r * m.r,
)
backward(
    "backward-projection-squared",
    "the term through the variance has one power of 1/√(v+ε) too few",
    projection_term=lambda m, w: _projection(m, w) / m.r,
)
backward(
    "backward-projection-two-powers-less",
    "the term through the variance has two powers of 1/√(v+ε) too few",
    projection_term=lambda m, w: _projection(m, w) / m.r / m.r,
)
backward(
    "backward-projection-doubled",
    "the term through the variance is twice what it should be: the ½ is forgotten",
    projection_term=lambda m, w: 2 * _projection(m, w),
)
backward(
    "backward-projection-halved",
    "the term through the variance is half of what it should be",
    projection_term=lambda m, w: 0.5 * _projection(m, w),
)
backward(
    "backward-projection-sign",
    "the term through the variance has the wrong sign",
    projection_term=lambda m, w: -_projection(m, w),
)
backward(
    "backward-centring-sign",
    "the term through the mean has the wrong sign",
    centring_term=lambda m, w: -average(w, 0)[0],
)
backward(
    "backward-projection-of-all-features",
    "the mean in the term through the variance is taken over the features, too",
    projection_term=lambda m, w: m.z * average(w * m.z),
)
backward(
    "backward-centring-of-all-features",
    "the mean in the term through the mean is taken over the features, too",
    centring_term=lambda m, w: average(w)[0],
)
backward(
    "backward-projection-on-output",
    "γ·z stands where z belongs in the term through the variance",
    projection_term=lambda m, w: m.gamma * m.z * average(w * m.gamma * m.z, 0)[0],
)
backward(
    "backward-projection-of-output",
    "γ·z stands for one z in the term through the variance",
    projection_term=lambda m, w: m.z * average(w * m.gamma * m.z, 0)[0],
)
backward(
    "backward-projection-uncentred",
    "x·r stands where z belongs in the term through the variance",
    projection_term=lambda m, w: m.x * m.r * average(w * m.x * m.r, 0)[0],
)
backward(
    "backward-projection-of-x",
    "x stands where z belongs in the mean of w·z",
    projection_term=lambda m, w: m.z * average(w * m.x, 0)[0],
)
backward(
    "backward-without-eps",
    "the term through the variance divides by √v, without ε",
    projection_term=lambda m, w: _without_eps(m, w),
)
backward(
    "backward-clamped",
    "no gradient goes through a variance below ε",
    projection_term=lambda m, w: where(m.var.value > m.eps, _projection(m, w), 0.0),
)
backward(
    "backward-averaged",
    "dx is divided by N, as if the loss were a mean",
    gradient_scale=lambda m: _scale(m) / m.rows,
)
backward("backward-summed", "dx is multiplied by N", gradient_scale=lambda m: _scale(m) * m.rows)
backward("backward-negated", "dx has the wrong sign", gradient_scale=lambda m: -_scale(m))
backward(
    "input-stopped",
    "no gradient reaches x",
    input_gradient=lambda m, w: zeros_like(w),
    evaluation_gradient=lambda m, w: zeros_like(w),
)
backward(
    "backward-handed-through",
    "dx is the cotangent itself",
    input_gradient=lambda m, w: w,
    evaluation_gradient=lambda m, w: w,
)


def _without_eps(m: BackwardModel, w: Approximate) -> Approximate:
    z = (m.x - m.mean) / root(m.var)
    return z * average(w * z, 0)[0]
