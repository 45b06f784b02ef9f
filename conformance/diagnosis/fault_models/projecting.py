"""Mistakes in the two terms through the statistics."""

from __future__ import annotations

from conformance.diagnosis.approximate import (
    Approximate,
    average,
    root,
    total,
    where,
)
from conformance.diagnosis.backward_model import BACKWARD, Saved

# Steps take all that their place in the model hands over; loop variables are bound as defaults.
# ruff: noqa: ARG005, PLW0108
from conformance.diagnosis.fault_models.backward import mistake, zero

_projection = BACKWARD["projection"]
_scale = BACKWARD["gradient_scale"]

mistake(
    "unbiased-centring",
    "the term through the mean is averaged with N−1",
    centre=lambda s, w: average(w, 0)[0] * s.bessel,
)
mistake(
    "unbiased-projection",
    "the term through the variance is averaged with N−1",
    projection=lambda s, w: _projection(s, w) * s.bessel,
)
mistake(
    "unbiased-terms",
    "both terms through the statistics are averaged with N−1",
    centre=lambda s, w: average(w, 0)[0] * s.bessel,
    projection=lambda s, w: _projection(s, w) * s.bessel,
)
mistake(
    "centring-summed",
    "the term through the mean is summed, not averaged",
    centre=lambda s, w: total(w, 0)[0],
)
mistake(
    "projection-summed",
    "the term through the variance is summed, not averaged",
    projection=lambda s, w: _projection(s, w) * float(w.shape[0]),
)
mistake(
    "terms-summed",
    "both terms through the statistics are summed, not averaged",
    centre=lambda s, w: total(w, 0)[0],
    projection=lambda s, w: _projection(s, w) * float(w.shape[0]),
)
mistake(
    "projection-to-the-fourth",
    "the term through the variance has one power of 1/√(v+ε) too many",
    projection=lambda s, w: _projection(s, w) * s.r,
)
mistake(
    "projection-two-powers-more",
    "the term through the variance has two powers of 1/√(v+ε) too many",
    projection=lambda s, w: _projection(s, w) * s.r * s.r,
)
mistake(
    "projection-squared",
    "the term through the variance has one power of 1/√(v+ε) too few",
    projection=lambda s, w: _projection(s, w) / s.r,
)
mistake(
    "projection-two-powers-less",
    "the term through the variance has two powers of 1/√(v+ε) too few",
    projection=lambda s, w: _projection(s, w) / s.r / s.r,
)
mistake(
    "projection-doubled",
    "the term through the variance is twice what it should be: the ½ is forgotten",
    projection=lambda s, w: 2 * _projection(s, w),
)
mistake(
    "projection-halved",
    "the term through the variance is half of what it should be",
    projection=lambda s, w: 0.5 * _projection(s, w),
)
mistake(
    "projection-sign",
    "the term through the variance has the wrong sign",
    projection=lambda s, w: -_projection(s, w),
)
mistake(
    "centring-sign",
    "the term through the mean has the wrong sign",
    centre=lambda s, w: -average(w, 0)[0],
)
mistake(
    "projection-of-all-features",
    "the mean in the term through the variance is taken over the features, too",
    projection=lambda s, w: s.z * average(w * s.z),
)
mistake(
    "centring-of-all-features",
    "the mean in the term through the mean is taken over the features, too",
    centre=lambda s, w: average(w)[0],
)
mistake(
    "projection-on-output",
    "γ·z stands where z belongs in the term through the variance",
    projection=lambda s, w: s.gamma * s.z * average(w * s.gamma * s.z, 0)[0],
)
mistake(
    "projection-of-output",
    "γ·z stands for one z in the term through the variance",
    projection=lambda s, w: s.z * average(w * s.gamma * s.z, 0)[0],
)
mistake(
    "projection-uncentred",
    "x·r stands where z belongs in the term through the variance",
    projection=lambda s, w: s.x * s.r * average(w * s.x * s.r, 0)[0],
)
mistake(
    "projection-of-x",
    "x stands where z belongs in the mean of w·z",
    projection=lambda s, w: s.z * average(w * s.x, 0)[0],
)
mistake(
    "projection-without-eps",
    "the term through the variance divides by √v, without ε",
    projection=lambda s, w: _without_eps(s, w),
)
mistake(
    "projection-clamped",
    "no gradient goes through a variance below ε",
    projection=lambda s, w: where(s.var.value > s.eps, _projection(s, w), 0.0),
)
mistake(
    "averaged",
    "dx is divided by N, as if the loss were a mean",
    gradient_scale=lambda s: _scale(s) / s.rows,
)
mistake("summed", "dx is multiplied by N", gradient_scale=lambda s: _scale(s) * s.rows)
mistake("negated", "dx has the wrong sign", gradient_scale=lambda s: -_scale(s))
mistake(
    "stopped",
    "no gradient reaches x",
    input_gradient=lambda s, w: zero(w),
    evaluation_gradient=lambda s, w: zero(w),
)
mistake(
    "handed-through",
    "dx is the cotangent itself",
    input_gradient=lambda s, w: w,
    evaluation_gradient=lambda s, w: w,
)


def _without_eps(s: Saved, w: Approximate) -> Approximate:
    z = (s.x - s.mean) / root(s.var)
    return z * average(w * z, 0)[0]
