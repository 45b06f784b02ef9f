"""Mistakes in the batch mean, and in the rows and axes over which statistics are taken."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, average, exact, rearrange, total
from conformance.diagnosis.fault_model import ALTERNATIVES, alternative
from conformance.diagnosis.reference_model import ReferenceModel

_mean, _var, _statistics = (
    ReferenceModel.batch_mean,
    ReferenceModel.batch_var,
    ReferenceModel.statistics,
)


def _square_only(step: str) -> Any:
    def mean(m: ReferenceModel, x: Approximate) -> Approximate:
        rows, features = x.shape
        return average(x, 1)[:, 0] if rows == features > 1 else _mean(m, x)

    def var(m: ReferenceModel, x: Approximate, center: Approximate) -> Approximate:
        rows, features = x.shape
        if rows != features or rows == 1:
            return _var(m, x, center)
        return _var(m, x.T, average(x, 1)[:, 0])

    return mean if step == "mean" else var


def over_rows_of_x(m: ReferenceModel, x: Approximate) -> Approximate:
    """Normalize each row of x, (N, D), by its own mean and variance, as LayerNorm does."""
    mean = _mean(m, x.T)
    var = _var(m, x.T, mean)
    z = ReferenceModel.normalized(m, x.T, mean, var).T
    return m.affine(z)


def _global(m: ReferenceModel, x: Approximate) -> Approximate:
    del m
    return average(x)[0] + exact(np.zeros(x.shape[1]))


def _global_var(m: ReferenceModel, x: Approximate, mean: Approximate) -> Approximate:
    del m
    d = x - mean
    return average(d * d)[0] + exact(np.zeros(x.shape[1]))


def _column_sum(x: Approximate) -> Approximate:
    return total(x, 0)[0]


def _median(m: ReferenceModel, x: Approximate) -> Approximate:
    del m
    return Approximate(np.median(x.value, axis=0))


def _left_out(x: Approximate, first: bool) -> Approximate:
    return (x[1:] if first else x[:-1]) if x.shape[0] > 1 else x


def _without(x: Approximate, first: bool) -> Approximate:
    """Return x, (N, D), with zeros in the first or the last row."""
    kept = np.ones((x.shape[0], 1))
    kept[0 if first else -1] = 0
    return x * kept


def _squares_without(x: Approximate, mean: Approximate, first: bool) -> Approximate:
    """Return Σ(x−μ)²/N, (D,), in which the first or the last row is left out of the sum."""
    return average(_without((x - mean) * (x - mean), first), 0)[0]


def _in_int8(count: int) -> float:
    """Return a number as a signed integer of 8 bits; NaN for a divisor of zero."""
    return float(np.array(count).astype("int8")) or float("nan")


alternative(
    "both-axes",
    "one mean is taken over all features",
    "μ = mean of the whole batch",
    remedy="reduce over axis 0 only",
    batch_mean=_global,
)
alternative("var-of-all", "one variance is taken over all features", batch_var=_global_var)
alternative(
    "statistics-of-all",
    "one mean and one variance are taken over all features",
    remedy="reduce over axis 0 only",
    batch_mean=_global,
    batch_var=_global_var,
)
alternative(
    "last-axis-when-square",
    "the batch mean is taken over the last axis",
    remedy="reduce over axis 0",
    batch_mean=_square_only("mean"),
)
alternative(
    "last-axis-statistics",
    "the batch statistics are taken over the last axis",
    remedy="reduce over axis 0",
    batch_mean=_square_only("mean"),
    batch_var=_square_only("var"),
)
alternative(
    "layer-norm",
    "training normalises each row by its own mean and variance, over the last axis",
    remedy="reduce over axis 0",
    convention="That is LayerNorm.",
    train_step=lambda m, x: (m.update(x, *m.statistics(x)), over_rows_of_x(m, x))[1],
)
alternative(
    "sum-for-mean",
    "the sum over the batch is used as its mean",
    batch_mean=lambda m, x: _column_sum(x),
)
alternative(
    "mean-bessel",
    "the mean is divided by N−1",
    "μ = Σx/(N−1)",
    remedy="divide the mean by N",
    batch_mean=lambda m, x: _column_sum(x) / float(max(x.shape[0] - 1, 1)),
)
alternative(
    "mean-plus-one",
    "the mean is divided by N+1",
    batch_mean=lambda m, x: _column_sum(x) / float(x.shape[0] + 1),
)
alternative(
    "mean-by-features",
    "the sum over the batch is divided by D instead of N",
    batch_mean=lambda m, x: _column_sum(x) / float(x.shape[1]),
)
alternative("median", "the median is used as the mean", batch_mean=_median)
alternative(
    "not-centred",
    "the batch is not centred: the mean is taken as zero",
    batch_mean=lambda m, x: exact(np.zeros(x.shape[1])),
)
alternative(
    "first-value-not-added-back",
    "the data are shifted by their first row, which is not added back to the mean",
    stored_statistics=lambda m, x, mean, var: (mean - x[0], var),
)
for _name, _first in (("first", True), ("last", False)):
    alternative(
        f"{_name}-row-left-out",
        f"the {_name} row is left out of the mean",
        remedy="take all rows",
        batch_mean=lambda m, x, first=_first: _mean(m, _left_out(x, first)),
    )
    alternative(
        f"{_name}-row-left-out-of-var",
        f"the {_name} row is left out of the variance",
        batch_var=lambda m, x, mean, first=_first: _var(m, _left_out(x, first), mean),
    )
    alternative(
        f"{_name}-row-left-out-of-statistics",
        f"the {_name} row is left out of the batch statistics",
        statistics=lambda m, x, first=_first: _statistics(m, _left_out(x, first)),
    )
    alternative(
        f"{_name}-row-not-summed",
        f"the {_name} row is left out of the sum for the mean, and counted in N",
        remedy="take all rows",
        batch_mean=lambda m, x, first=_first: _mean(m, _without(x, first)),
    )
    alternative(
        f"{_name}-row-not-summed-in-var",
        f"the {_name} row is left out of the sum of squares, and counted in N",
        remedy="take all rows",
        batch_var=lambda m, x, mean, first=_first: _squares_without(x, mean, first),
    )
    alternative(
        f"{_name}-row-not-summed-in-statistics",
        f"the {_name} row is left out of both sums over the batch, and counted in N",
        remedy="take all rows",
        batch_mean=lambda m, x, first=_first: _mean(m, _without(x, first)),
        batch_var=lambda m, x, mean, first=_first: _squares_without(x, mean, first),
    )
alternative(
    "rows-counted-in-int8",
    "the number of rows is computed in 8 bits, and overflows",
    remedy="count in float32 or int32",
    needs=1,
    batch_mean=lambda m, x: _column_sum(x) / _in_int8(x.shape[0]),
    batch_var=lambda m, x, mean: _var(m, x, mean) * (float(x.shape[0]) / _in_int8(x.shape[0])),
)
alternative(
    "features-reshaped",
    "a reshaping stands where a transposition belongs: rows and features are mixed",
    "statistics of x.reshape(D, N)",
    remedy="transpose, or reduce over axis 0",
    statistics=lambda m, x: _statistics(m, rearrange(lambda a: a.reshape(a.shape[::-1]).T, x)),
)


def _of_its_own(m: ReferenceModel, x: Approximate, mean: Approximate) -> Approximate:
    """Return the variance about the mean of the batch, whatever mean is used elsewhere."""
    del mean
    return _var(m, x, _mean(m, x))


for _identity in (
    *("both-axes", "last-axis-when-square", "sum-for-mean", "mean-bessel", "mean-plus-one"),
    *("mean-by-features", "median", "not-centred", "first-row-left-out", "last-row-left-out"),
):
    _base = ALTERNATIVES[_identity]
    alternative(
        f"{_identity}-by-var",
        f"{_base.sentence}; the variance is that of the batch",
        remedy=_base.remedy,
        batch_mean=_base.steps(float("nan"))["batch_mean"],
        batch_var=_of_its_own,
    )
