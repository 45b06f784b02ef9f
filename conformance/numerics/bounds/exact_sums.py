"""Forward-error bounds for the statistics of columns whose sums are exact.

Notation as in the package: u, N, h = N−1, μ, v, A = mean|x|; k is x in units of a power of two.
The columns are those of ``conformance.strategies.tall``: Σ|k| ≤ 2²⁴, and Σk² ≤ 2²⁴ where μ is 0.

Sums. Every partial sum, in any order, is an integer of at most 24 bits, so it is exact, and a
computed mean errs by the division alone, or by the product with a rounded 1/N: 3u·|μ|. Where μ = 0
it is 0, x−μ̂ is x, and the variance is a quotient of exact sums, too: 3u·v. A shift by x[0], which
is 0 or the value of all rows but the last, loses nothing.

Updating. A mean that is updated row by row, m ← m + (x−m)/n, or merged from blocks, is rounded each
time by at most u·|m| + 3u·|x−m|/n, and the rounding of step n has the weight n/N in the end. As n·m
is the sum S of the rows so far, e_μ ≤ u·mean|S| + 4u·A: where pairs cancel, S is a single value at
most. This holds for rows and blocks in their order, and for lanes of every second, fourth, … row.
Other orders have larger sums: every third row loses up to 60u·A, and rows from the last to the
first up to 35 000u·A in late columns, where the mean shrinks two million times. So
e_μ ≤ 3u·|μ| + min(h+3, 256)·u·A, or min(h+3, h²/2²⁶+256)·u·A in late columns.

Squares that are updated, M ← M + (x−m)(x−m′), err by at most h·u·v. But k² is a multiple of the
spacing of float32 at M, and what (x−m)(x−m′) differs from k² by is mostly less than half of it: M
becomes what exact sums make. An average of squares, v ← v + ((x−m)(x−m′)−v)/n, has no such luck,
unless all squares are equal. So e_v ≤ min(h+8, h/256+512)·u·v in flat columns, and
min(h+8, h/16+1024)·u·v in paired ones; the others have the bound of any batch.

For updating, 256, 512, 1024 and the shares of h are not proved. They are chosen to be at least
twice the largest errors of twenty such algorithms on these columns, of up to 2 097 152 rows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.numerics import oracle
from conformance.numerics.bounds.accuracy import Bound, U
from conformance.numerics.bounds.moments import one_pass_error, variance_error
from conformance.numerics.conventions import STRICT, Conventions

FLAT, PAIRED, LATE, CARRIED = range(4)
"""The kinds of column, see ``conformance.strategies.tall``."""

_OF_MEAN = np.array([(256, 0, 0), (256, 0, 0), (256, 0, 2**-26), (256, 0, 0)])
_OF_VAR = np.array([(512, 1 / 256, 0), (1024, 1 / 16, 0), (np.inf, 0, 0), (np.inf, 0, 0)])
"""Roundings that are admitted, and the parts of h and of h² by which they grow, for each kind."""


def exact_statistics(
    x: npt.ArrayLike, kinds: npt.NDArray[np.int64], conventions: Conventions = STRICT
) -> tuple[Bound, Bound]:
    """Return the bounds for the batch mean and the batch variance, each (D,).

    Args:
        x: The batch, (N, D).
        kinds: The kinds of its columns, (D,).
        conventions: They say whether a variance in one pass is admitted.
    """
    x64 = np.asarray(x, np.float64)
    h = len(x64) - 1
    mean, var = oracle.statistics(x64)
    of_mean, of_var = (table[kinds] @ np.array([1, h, h**2]) for table in (_OF_MEAN, _OF_VAR))
    size = np.abs(x64).mean(axis=0)
    e_mean = Bound.of(np.minimum(h + 3, of_mean) * U * size + 3 * U * np.abs(mean))
    exact = np.isfinite(of_var)
    limited = np.minimum(h + 8, np.where(exact, of_var, 0)) * U * var
    strict = np.where(exact, limited, variance_error(x64))
    if not conventions.admits_one_pass():
        return e_mean, Bound.of(strict)
    return e_mean, Bound.of(strict, np.maximum(strict, one_pass_error(x64)))
