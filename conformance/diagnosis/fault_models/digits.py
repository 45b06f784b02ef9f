"""Rounding to number formats of few digits, and statistics that are rounded."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005, B008
from collections.abc import Callable

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64, average, map_values, where
from conformance.diagnosis.fault_model import alternative
from conformance.diagnosis.reference_model import ReferenceModel
from conformance.diagnosis.rounding import rounded_to

_mean, _var, _output = (
    ReferenceModel.batch_mean,
    ReferenceModel.batch_var,
    ReferenceModel.output,
)


for _kind in ("bfloat16", "float16"):
    alternative(
        f"sums-in-{_kind}",
        f"the batch mean is computed in {_kind}",
        remedy="compute statistics in float32 at least",
        batch_mean=lambda m, x, f=rounded_to(_kind): map_values(f, _mean(m, map_values(f, x))),
    )
    alternative(
        f"mean-rounded-to-{_kind}",
        f"the batch mean is rounded to {_kind}",
        batch_mean=lambda m, x, f=rounded_to(_kind): map_values(f, _mean(m, x)),
    )
    alternative(
        f"var-rounded-to-{_kind}",
        f"the batch variance is rounded to {_kind}",
        batch_var=lambda m, x, mean, f=rounded_to(_kind): map_values(f, _var(m, x, mean)),
    )
    alternative(
        f"statistics-in-{_kind}",
        f"the batch statistics are rounded to {_kind}",
        batch_mean=lambda m, x, f=rounded_to(_kind): map_values(f, _mean(m, x)),
        batch_var=lambda m, x, mean, f=rounded_to(_kind): map_values(f, _var(m, x, mean)),
    )


def _constant(x: Approximate) -> Float64:
    constant: Float64 = x.value.max(axis=0) == x.value.min(axis=0)
    return constant


alternative(
    "constant-is-not-centred",
    "the mean of a constant feature is taken as zero",
    batch_mean=lambda m, x: where(_constant(x), 0.0, _mean(m, x)),
    needs=2,
)


def _of_rounded_squares(x: Approximate, mean: Approximate, kind: str) -> Approximate:
    """Return the mean of (x−μ)², where x − μ and its square are rounded."""
    rounded = rounded_to(kind)
    centred = map_values(rounded, x - mean)
    return average(map_values(rounded, centred * centred), 0)[0]


def _variance_in(kind: str, x: Approximate, mean: Approximate) -> Approximate:
    """Return the mean of (x−μ)², every step of which is rounded."""
    rounded = rounded_to(kind)
    return map_values(rounded, _of_rounded_squares(map_values(rounded, x), mean, kind))


def _rounded_statistics(
    m: ReferenceModel, x: Approximate, rounded: Callable[[Float64], Float64]
) -> tuple[Approximate, Approximate]:
    mean = _mean(m, x)
    return map_values(rounded, mean), map_values(rounded, _var(m, x, mean))


def _reciprocal(x: Approximate, kind: str) -> float:
    """Return N times the rounded 1/N."""
    rows = x.shape[0]
    return float(rows * rounded_to(kind)(np.array(1 / rows)))


for _kind in ("bfloat16", "float16"):
    alternative(
        f"squares-in-{_kind}",
        f"deviations from the mean are rounded to {_kind} and squared there",
        remedy="compute statistics in float32 at least",
        batch_var=lambda m, x, mean, k=_kind: _of_rounded_squares(x, mean, k),
    )
    alternative(
        f"reciprocal-in-{_kind}",
        f"sums over the batch are multiplied by 1/N rounded to {_kind}",
        remedy="divide by N",
        batch_mean=lambda m, x, k=_kind: _reciprocal(x, k) * _mean(m, x),
        batch_var=lambda m, x, mean, k=_kind: _reciprocal(x, k) * _var(m, x, mean),
    )
    alternative(
        f"statistics-of-{_kind}",
        f"the batch statistics are those of x rounded to {_kind}",
        remedy="compute statistics in float32 at least",
        batch_mean=lambda m, x, f=rounded_to(_kind): _mean(m, map_values(f, x)),
        batch_var=lambda m, x, mean, f=rounded_to(_kind): _var(m, map_values(f, x), mean),
    )
    alternative(
        f"statistics-computed-in-{_kind}",
        f"the batch statistics are computed in {_kind}",
        remedy="compute statistics in float32 at least",
        batch_mean=lambda m, x, f=rounded_to(_kind): map_values(f, _mean(m, map_values(f, x))),
        batch_var=lambda m, x, mean, k=_kind: _variance_in(k, x, mean),
    )
    alternative(
        f"statistics-of-{_kind}-rounded",
        f"the batch statistics are those of x rounded to {_kind}, and are rounded as well",
        remedy="compute statistics in float32 at least",
        statistics=lambda m, x, f=rounded_to(_kind): _rounded_statistics(m, map_values(f, x), f),
    )
    alternative(
        f"deviations-in-{_kind}",
        f"deviations from the batch mean are rounded to {_kind}, for the variance and for y",
        remedy="centre in float32 at least",
        batch_var=lambda m, x, mean, f=rounded_to(_kind): _var(
            m, map_values(f, x - mean), mean * 0.0
        ),
        output=lambda m, x, mean, var, f=rounded_to(_kind): _output(
            m, map_values(f, x - mean), mean * 0.0, var
        ),
    )


def _truncated(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> None:
    ReferenceModel.update(m, x, mean, var)
    m.running_mean = map_values(np.trunc, m.running_mean)
    m.running_var = map_values(np.trunc, m.running_var)


alternative(
    "statistics-truncated",
    "the running statistics are truncated to whole numbers",
    remedy="create them with a dtype of floating-point numbers",
    update=_truncated,
)
