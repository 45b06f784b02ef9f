"""Mistakes in merging the statistics of parts of a batch."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
from collections.abc import Callable, Iterable
from itertools import pairwise
from math import gcd

import numpy as np

from conformance.diagnosis.approximate import Approximate, average, total
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.fault_models.rows import BLOCKS
from conformance.diagnosis.reference_model import Pair, ReferenceModel

_var, _statistics = ReferenceModel.batch_var, ReferenceModel.statistics
_BLOCK = Parameter(BLOCKS, threshold=True)
_PARTS = Parameter((2, 3, 4, 8, 16), threshold=True)


def _of_chunks(x: Approximate, size: float) -> Approximate:
    """Return the mean of the means of chunks of rows, the last of which may be shorter."""
    starts = range(0, x.shape[0], int(size))
    means = [average(x[at : at + int(size)], 0)[0] for at in starts]
    return Approximate(
        np.mean([mean.value for mean in means], axis=0),
        np.max([mean.error for mean in means], axis=0),
    )


family(
    "chunks-weighted-equally",
    "the mean is the mean of the means of chunks of {c} rows, the last one shorter",
    _BLOCK,
    lambda c: {"batch_mean": lambda m, x: _of_chunks(x, c)},
    remedy="weigh each chunk by its rows",
    needs=2,
)


def _within(x: Approximate, starts: Iterable[int]) -> Approximate:
    """Return the variance of rows around the mean of their chunk, by the first row of each."""
    chunks = [x[at:end] for at, end in pairwise([*starts, x.shape[0]])]
    centred = [chunk - average(chunk, 0)[0] for chunk in chunks]
    squares = [total(d * d, 0)[0] for d in centred]
    rest = squares[1:]
    summed = sum(rest, start=squares[0])
    return summed / float(x.shape[0])


def _starts(rows: int, parts: int) -> list[int]:
    """Return the first rows of equal parts; the first parts have one more of those left over."""
    parts = min(parts, rows)
    each, more = divmod(rows, parts)
    return [at * each + min(at, more) for at in range(parts)]


family(
    "variance-within-chunks",
    "the variance is that within chunks of {c} rows, without the spread of their means",
    _BLOCK,
    lambda c: {"batch_var": lambda m, x, mean: _within(x, range(0, x.shape[0], int(c)))},
    remedy="add the squared distances of the chunks' means when chunks are merged",
    needs=2,
)
family(
    "variance-within-parts",
    "the variance is that within {c} parts of the batch, without the spread of their means",
    _PARTS,
    lambda c: {"batch_var": lambda m, x, mean: _within(x, _starts(x.shape[0], int(c)))},
    remedy="add the squared distances of the parts' means when parts are merged",
    needs=2,
)
family(
    "variance-within-equal-parts",
    "the variance is that within equal parts of the batch, {c} if N is a multiple of it, without "
    "the spread of their means",
    _PARTS,
    lambda c: {
        "batch_var": lambda m, x, mean: _within(x, _starts(x.shape[0], gcd(x.shape[0], int(c))))
    },
    remedy="take deviations from the mean of all parts",
    needs=2,
)


_Weight = Callable[[float, float], float]
"""A number for a part by the rows before it and its own."""


def _step_weight(before: float, own: float) -> float:
    """Return the weight of a squared step between two means: n₁·n₂/(n₁+n₂)."""
    return before * own / (before + own)


def _merged(x: Approximate, size: int, share: _Weight, weight: _Weight = _step_weight) -> Pair:
    """Return the mean and variance of parts that are merged one after the other.

    Args:
        x: The batch, (N, D).
        size: The rows of a part.
        share: The share of the step to the mean of a part by which the mean is moved.
        weight: The weight of the squared step in the sum of squared deviations.
    """
    mean, squares = x[0] * 0.0, x[0] * 0.0
    for at in range(0, x.shape[0], size):
        part = x[at : at + size]
        own, centre = float(part.shape[0]), average(part, 0)[0]
        step = centre - mean
        mean = mean + step * share(at, own)
        squares = squares + total((part - centre) * (part - centre), 0)[0]
        squares = squares + step * step * weight(at, own)
    return mean, squares / float(x.shape[0])


def _to_part(before: float, own: float) -> float:
    return own / (before + own)


def _after_counting(before: float, own: float) -> float:
    return _step_weight(before + own, own)


family(
    "means-weighted-by-other",
    "chunks of {c} rows are merged with the weight of each mean given to the other",
    _BLOCK,
    lambda c: {
        "statistics": lambda m, x: _merged(
            x, int(c), lambda before, own: before / (before + own) if before else 1.0
        )
    },
    formula="μ = μ₁ + (μ₂−μ₁)·n₁/(n₁+n₂)",
    remedy="weigh the step from one mean to another by the rows of the other: n₂/(n₁+n₂)",
    needs=2,
)
alternative(
    "variance-within-rows",
    "the variance is that within each row, which is zero: the spread of the rows is missing",
    "v = 0",
    remedy="take deviations from the mean of all rows, or add the spread of the parts' means",
    batch_var=lambda m, x, mean: mean * 0.0,
)
family(
    "merged-after-counting",
    "chunks of {c} rows are merged with the number of rows after a chunk, not before it",
    _BLOCK,
    lambda c: {"statistics": lambda m, x: _merged(x, int(c), _to_part, _after_counting)},
    formula="M₂ += δ²·n·k/(n+k), where n counts the chunk's k rows already",
    remedy="weigh δ² by the number of rows before the chunk, and count its rows afterwards",
    needs=2,
)
family(
    "merged-after-counting-equal-parts",
    "equal parts of the batch, of {c} rows if N is a multiple of it, are merged with the number of "
    "rows after a part, not before it",
    _BLOCK,
    lambda c: {
        "statistics": lambda m, x: _merged(x, gcd(x.shape[0], int(c)), _to_part, _after_counting)
    },
    formula="M₂ += δ²·n·k/(n+k), where n counts the part's k rows already",
    remedy="weigh δ² by the number of rows before the part, and count its rows afterwards",
    needs=2,
)
family(
    "means-merged-halfway",
    "chunks of {c} rows are merged with the midpoint of two means, whatever their sizes",
    _BLOCK,
    lambda c: {
        "statistics": lambda m, x: _merged(x, int(c), lambda before, own: 0.5 if before else 1.0)
    },
    remedy="weigh each mean by its rows",
    needs=2,
)
