"""Rounding to number formats of few digits, and statistics that are rounded."""

from __future__ import annotations

# Steps take all that their place in the model hands over; loop variables are bound as defaults.
# ruff: noqa: ARG005, B008
from typing import Any

import numpy as np

from conformance.diagnosis import textbook
from conformance.diagnosis.approximate import (
    Approximate,
    Float64,
    average,
    mapped,
    where,
)
from conformance.diagnosis.fault_model import alternative

_mean, _var, _statistics = textbook.mean_of, textbook.var_of, textbook.statistics


def rounded_to(kind: str) -> Any:
    """Return the function that rounds to a number format of few digits."""
    if kind == "bfloat16":
        return to_bfloat16
    if kind == "float16":
        return to_float16
    decimals = int(kind)
    return lambda a: np.round(a, decimals)


def to_bfloat16(a: Float64) -> Float64:
    """Round float64 to bfloat16, ties to even."""
    bits = np.asarray(a, np.float32).view(np.uint32).astype(np.uint64)
    kept = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    rounded = kept.astype(np.uint32).view(np.float32).astype(np.float64)
    return np.where(np.isfinite(a), rounded, a)


def to_float16(a: Float64) -> Float64:
    """Round float64 to float16 by way of float32."""
    return np.asarray(a, np.float32).astype(np.float16).astype(np.float64)


for _kind in ("bfloat16", "float16"):
    alternative(
        f"mean-in-{_kind}",
        f"the batch mean is computed in {_kind}",
        remedy="compute statistics in float32 at least",
        mean=lambda m, x, f=rounded_to(_kind): mapped(f, _mean(m, mapped(f, x))),
    )
    alternative(
        f"mean-rounded-to-{_kind}",
        f"the batch mean is rounded to {_kind}",
        mean=lambda m, x, f=rounded_to(_kind): mapped(f, _mean(m, x)),
    )
    alternative(
        f"var-rounded-to-{_kind}",
        f"the batch variance is rounded to {_kind}",
        var=lambda m, x, mean, f=rounded_to(_kind): mapped(f, _var(m, x, mean)),
    )
    alternative(
        f"statistics-in-{_kind}",
        f"the batch statistics are rounded to {_kind}",
        mean=lambda m, x, f=rounded_to(_kind): mapped(f, _mean(m, x)),
        var=lambda m, x, mean, f=rounded_to(_kind): mapped(f, _var(m, x, mean)),
    )


def _constant(x: Approximate) -> Float64:
    constant: Float64 = x.value.max(axis=0) == x.value.min(axis=0)
    return constant


alternative(
    "constant-is-not-centred",
    "the mean of a constant feature is taken as zero",
    mean=lambda m, x: where(_constant(x), 0.0, _mean(m, x)),
    needs=2,
)


def _of_rounded_squares(x: Approximate, mean: Approximate, kind: str) -> Approximate:
    """Return the mean of (x−μ)², with x − μ and its square rounded."""
    rounded = rounded_to(kind)
    centred = mapped(rounded, x - mean)
    return average(mapped(rounded, centred * centred), 0)[0]


def _reciprocal(x: Approximate, kind: str) -> float:
    """Return N times the rounded 1/N."""
    rows = x.shape[0]
    return float(rows * rounded_to(kind)(np.float64(1 / rows)))


for _kind in ("bfloat16", "float16"):
    alternative(
        f"squares-in-{_kind}",
        f"deviations from the mean are rounded to {_kind} and squared there",
        remedy="compute statistics in float32 at least",
        var=lambda m, x, mean, k=_kind: _of_rounded_squares(x, mean, k),
    )
    alternative(
        f"reciprocal-in-{_kind}",
        f"sums over the batch are multiplied by 1/N rounded to {_kind}",
        remedy="divide by N",
        mean=lambda m, x, k=_kind: _reciprocal(x, k) * _mean(m, x),
        var=lambda m, x, mean, k=_kind: _reciprocal(x, k) * _var(m, x, mean),
    )
