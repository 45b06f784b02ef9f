"""Mistakes in the batch mean, and in which rows and axes the statistics are taken over."""

from __future__ import annotations

import numpy as np

from conformance.diagnosis.approximate import (
    Approximate,
    Float64,
    arranged,
    average,
    exact,
    mapped,
    total,
    where,
)
from conformance.diagnosis.model import TEXTBOOK, Model
from conformance.diagnosis.registry import Parameter, alternative, family

_mean, _var, _statistics = TEXTBOOK["mean"], TEXTBOOK["var"], TEXTBOOK["statistics"]

BLOCKS = (4, 8, 16, 32, 64, 100, 128, 256, 500, 512, 1000, 1024)


def _across(m: Model, x: Approximate) -> Approximate:
    """Return the mean over the features of each row, where that can be broadcast at all."""
    rows, features = x.shape
    means = average(x, 1)[:, 0]
    if rows == features:
        return means
    return average(x)[0] + exact(np.zeros(features)) if features == 1 else _undefined(m, x)


def _undefined(m: Model, x: Approximate) -> Approximate:
    del m
    return Approximate(np.full(x.shape[1], np.nan))


def _square_only(step: str) -> object:
    def mean(m: Model, x: Approximate) -> Approximate:
        rows, features = x.shape
        return average(x, 1)[:, 0] if rows == features > 1 else _mean(m, x)

    def var(m: Model, x: Approximate, center: Approximate) -> Approximate:
        rows, features = x.shape
        if rows != features or rows == 1:
            return _var(m, x, center)
        return _var(m, x.T, average(x, 1)[:, 0])

    return mean if step == "mean" else var


def over_rows_of_x(m: Model, x: Approximate) -> Approximate:
    """Normalise each row by its own mean and variance, as LayerNorm does."""
    mean = _mean(m, x.T)
    var = _var(m, x.T, mean)
    z = TEXTBOOK["normalized"](m, x.T, mean, var).T
    y: Approximate = m.do("affine", z)
    return y


def _global(m: Model, x: Approximate) -> Approximate:
    del m
    return average(x)[0] + exact(np.zeros(x.shape[1]))


def _global_var(m: Model, x: Approximate, mean: Approximate) -> Approximate:
    del m
    d = x - mean
    return average(d * d)[0] + exact(np.zeros(x.shape[1]))


def _column_sum(x: Approximate) -> Approximate:
    return total(x, 0)[0]


def _median(m: Model, x: Approximate) -> Approximate:
    del m
    return Approximate(np.median(x.value, axis=0))


def _left_out(x: Approximate, first: bool) -> Approximate:
    return (x[1:] if first else x[:-1]) if x.shape[0] > 1 else x


def _full_blocks(x: Approximate, block: float) -> Approximate:
    full = int(x.shape[0] // block * block)
    return x[: full or None]


def _padded(x: Approximate) -> Approximate:
    rows = x.shape[0]
    missing = (1 << (rows - 1).bit_length()) - rows
    return arranged(lambda a: np.pad(a, ((0, missing), (0, 0))), x)


def _of(rows: object, *steps: str) -> dict[str, object]:
    """Return steps that take the statistics of some of the rows only."""
    assert callable(rows)  # noqa: S101
    replaced = {
        "mean": lambda m, x: _mean(m, rows(x)),
        "var": lambda m, x, mean: _var(m, rows(x), mean),
    }
    return {step: replaced[step] for step in steps}


alternative(
    "mean-of-all",
    "one mean is taken over all features",
    "μ = mean of the whole batch",
    remedy="reduce over axis 0 only",
    mean=_global,
)
alternative("var-of-all", "one variance is taken over all features", var=_global_var)
alternative(
    "statistics-of-all",
    "one mean and one variance are taken over all features",
    remedy="reduce over axis 0 only",
    mean=_global,
    var=_global_var,
)
alternative(
    "last-axis-mean",
    "the batch mean is taken over the last axis",
    remedy="reduce over axis 0",
    mean=_square_only("mean"),
)
alternative(
    "last-axis-statistics",
    "the batch statistics are taken over the last axis",
    remedy="reduce over axis 0",
    mean=_square_only("mean"),
    var=_square_only("var"),
)
alternative(
    "layer-norm",
    "training normalises each row by its own mean and variance, over the last axis",
    remedy="reduce over axis 0",
    convention="That is LayerNorm.",
    train=lambda m, x: (m.do("update", x, *m.do("statistics", x)), over_rows_of_x(m, x))[1],
)
alternative(
    "sum-for-mean", "the sum over the batch is used as its mean", mean=lambda m, x: _column_sum(x)
)
alternative(
    "mean-bessel",
    "the mean is divided by N−1",
    "μ = Σx/(N−1)",
    remedy="divide the mean by N",
    mean=lambda m, x: _column_sum(x) / float(max(x.shape[0] - 1, 1)),
)
alternative(
    "mean-plus-one",
    "the mean is divided by N+1",
    mean=lambda m, x: _column_sum(x) / float(x.shape[0] + 1),
)
alternative(
    "mean-by-features",
    "the sum over the batch is divided by D instead of N",
    mean=lambda m, x: _column_sum(x) / float(x.shape[1]),
)
alternative("median", "the median is used as the mean", mean=_median)
alternative(
    "not-centred",
    "the batch is not centred: the mean is taken as zero",
    mean=lambda m, x: exact(np.zeros(x.shape[1])),
)
alternative(
    "first-value-not-added-back",
    "the data are shifted by their first row, which is not added back to the mean",
    stored=lambda m, x, mean, var: (mean - x[0], var),
)
for _name, _first in (("first", True), ("last", False)):
    alternative(
        f"{_name}-row-left-out-of-mean",
        f"the {_name} row is left out of the mean",
        remedy="take all rows",
        mean=lambda m, x, first=_first: _mean(m, _left_out(x, first)),
    )
    alternative(
        f"{_name}-row-left-out-of-var",
        f"the {_name} row is left out of the variance",
        var=lambda m, x, mean, first=_first: _var(m, _left_out(x, first), mean),
    )
    alternative(
        f"{_name}-row-left-out",
        f"the {_name} row is left out of the batch statistics",
        statistics=lambda m, x, first=_first: _statistics(m, _left_out(x, first)),
    )
alternative(
    "padding-in-variance",
    "rows are padded with zeros to a power of two, and the padding counts in the variance",
    "v = (Σ(x−μ)² + padding·μ²)/N",
    remedy="mask the padding before squaring",
    var=lambda m, x, mean: (
        _var(m, _padded(x), mean) * (float(_padded(x).shape[0]) / float(x.shape[0]))
    ),
)
alternative(
    "padding-in-statistics",
    "rows are padded with zeros to a power of two, and the padding counts in the statistics",
    statistics=lambda m, x: _statistics(m, _padded(x)),
)
alternative(
    "padded-count",
    "sums are divided by the number of rows padded to a power of two",
    mean=lambda m, x: _column_sum(x) / float(_padded(x).shape[0]),
    var=lambda m, x, mean: _var(m, x, mean) * (float(x.shape[0]) / float(_padded(x).shape[0])),
)

_BLOCK = Parameter(BLOCKS, threshold=True)
_COUNT = Parameter((1, 2, 3, 4, 5, 6, 8, 10, 16, 32, 64, 100, 128, 256, 512, 1000, 1024), True)
for _step, _words in (("mean", "mean"), ("var", "variance")):
    family(
        f"first-rows-only-{_step}",
        f"the {_words} comes from the first {{c}} rows",
        "",
        _COUNT,
        lambda c, step=_step: _of(lambda x: x[: int(c)], step),
        needs=1,
    )
    family(
        f"tail-left-out-of-{_step}",
        f"rows beyond the last full block of {{c}} do not count for the {_words}",
        "",
        _BLOCK,
        lambda c, step=_step: _of(lambda x: _full_blocks(x, c), step),
        remedy="handle the ragged last block",
        needs=1,
    )
family(
    "first-rows-only",
    "the batch statistics come from the first {c} rows",
    "",
    _COUNT,
    lambda c: _of(lambda x: x[: int(c)], "mean", "var"),
    needs=1,
)
family(
    "tail-left-out",
    "rows beyond the last full block of {c} do not count in the batch statistics",
    "",
    _BLOCK,
    lambda c: _of(lambda x: _full_blocks(x, c), "mean", "var"),
    remedy="handle the ragged last block",
    needs=1,
)


def _of_chunks(x: Approximate, size: float) -> Approximate:
    """Return the mean of the means of chunks of rows, the last one shorter."""
    starts = range(0, x.shape[0], int(size))
    means = [average(x[at : at + int(size)], 0)[0] for at in starts]
    return Approximate(
        np.mean([mean.value for mean in means], axis=0),
        np.max([mean.error for mean in means], axis=0),
    )


family(
    "chunks-weighted-equally",
    "the mean is the mean of the means of chunks of {c} rows, the last one shorter",
    "",
    _BLOCK,
    lambda c: {"mean": lambda m, x: _of_chunks(x, c)},
    remedy="weigh each chunk by its rows",
    needs=2,
)


def _blended(share: float) -> dict[str, object]:
    def used(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> object:
        return (1 - share) * mean + share * m.running_mean, var

    return {"used": used}


def _blended_var(share: float) -> dict[str, object]:
    def used(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> object:
        return mean, (1 - share) * var + share * m.running_var

    return {"used": used}


def _blended_both(share: float) -> dict[str, object]:
    def used(m: Model, x: Approximate, mean: Approximate, var: Approximate) -> object:
        return _blended(share)["used"](m, x, mean, var)[0], (  # type: ignore[operator]
            (1 - share) * var + share * m.running_var
        )

    return {"used": used}


SHARES = Parameter((1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999))
family(
    "mean-blended",
    "training subtracts the batch mean with {c} of the running mean in it",
    "(1−c)·μ + c·rm",
    SHARES,
    _blended,
    remedy="subtract the batch mean alone",
)
family(
    "var-blended",
    "training divides by the batch variance with {c} of the running variance in it",
    "(1−c)·v + c·rv",
    SHARES,
    _blended_var,
)
family(
    "statistics-blended",
    "training normalises with batch statistics that have {c} of the running ones in them",
    "(1−c)·batch + c·running",
    SHARES,
    _blended_both,
    convention="Batch Renormalization and some streaming variants blend on purpose.",
)


def rounded_to(kind: str) -> object:
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
