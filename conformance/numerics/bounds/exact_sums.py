"""Forward-error bounds for the statistics of columns whose sums are exact.

Notation as in the package: u, N, h = N−1, μ, v, A = mean|x|; k is x in units of a power of two.
The columns are those of ``conformance.strategies.exact_columns``: Σ|k| ≤ 2²⁴, and Σk² ≤ 2²⁴ where
μ is 0.

Flat and paired columns, μ = 0. Every partial sum, in any order, is an integer of at most 24 bits,
so it is exact: a computed mean is 0, x−μ̂ is x, a correction of the mean adds nothing, and the
variance is a quotient of exact sums: 3u·v. This holds for x−c as well, where c is any row, the
smallest or the largest one, or their middle: Σ|k−c| ≤ 2²⁴ and Σ(k−c)² ≤ 2²⁴, so a shifted mean errs
by 3u·|c|, and a shifted variance in one pass by 3u·(v+c²) ≤ 400u·v. The mean of an even number of
first rows, up to half of them, is 0.

Updating. A mean that is updated row by row, m ← m + (x−m)/n, or merged from blocks, is rounded each
time by at most u·|m| + 3u·|x−m|/n, and the rounding of step n has the weight n/N in the end. As n·m
is the sum S of the rows so far, e_μ ≤ u·mean|S| + 4u·A, where |S| is at most 128 and a row or two.
This holds for rows and blocks in their order; sums of lanes, of every second, third, … row, are
small, too. As the first row is 0, a shift by it changes nothing. So e_μ ≤ min(h+3, 256)·u·A.

Squares that are updated, M ← M + (x−m)(x−m′), err by at most h·u·v. But k² is a multiple of the
spacing of float32 at M, and what (x−m)(x−m′) differs from k² by is mostly less than half of it: M
becomes what exact sums make. An average of squares, v ← v + ((x−m)(x−m′)−v)/n, has no such luck,
unless most squares are equal: then it stops moving. So e_v ≤ min(h+8, 8192)·u·v in flat columns,
and min(h+8, h/8+1024)·u·v in paired ones. This is not proved for updating: it is at least twice the
largest error of forty such algorithms on these columns, of up to 2 097 152 rows.

Rows that are divided by N before they are added are not integers, and lose more, unless N is next
to a power of two: then k²/N differs from a short number by 2/N of itself, which is all that a sum
can lose. For other N a sum of n equal numbers is rounded by up to u·n of them, which is h/2·u·v in
all. So there e_v ≤ min(h+8, h/2+8192)·u·v in flat columns, and (h+8)·u·v in paired ones.

Late and offset columns, μ ≠ 0, have the bounds of any batch: there a correction of the mean adds up
N roundings of −μ̂, and updating rounds a mean that is never 0. But no algorithm does both, so that a
statistic is right if it is within either of two bounds, ``sharp_statistics``:
- μ in offset columns: k is P or P+1, in the proportion 1−θ to θ, with P < 8. Sums are exact; so is
  x−c for any c between the two. The sum of any rows of x−μ is at most N·θ(1−θ) = N·mean|x−μ|/2, so
  what sums lose in a correction, in any order, is at most h·u·mean|x−μ|/2, with 8u·A for all else.
- μ in late columns: k is 0, but for the last M ≤ 512 rows. An updated mean is 0 until then; from
  the last row to the first it shrinks, which lost up to 2400u·A at 802 816 rows. So
  256·u·A + h²·u·A/2²⁶.
- v in flat columns: 8192·u·v, for all but rows that are divided first, where N is such a number.
- v in late columns: M/N of v are in the rows that are 0, whose sums have h roundings or are lost,
  and the rest is the sum of M numbers. So (2M+8)·u·v + v·M/N.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.numerics import oracle
from conformance.numerics.bounds.accuracy import Bound, U
from conformance.numerics.bounds.moments import errors_of, moments
from conformance.numerics.conventions import STRICT, Conventions

FLAT, PAIRED, LATE, OFFSET = range(4)
"""The kinds of column, see ``conformance.strategies.exact_columns``."""


def exact_statistics(
    x: npt.ArrayLike, kinds: npt.NDArray[np.int64], conventions: Conventions = STRICT
) -> tuple[Bound, Bound]:
    """Return the bounds for the batch mean and the batch variance, each (D,).

    Args:
        x: The batch, (N, D).
        kinds: The kinds of its columns, (D,).
        conventions: They say whether a variance in one pass is admitted.
    """
    x64 = oracle.float64(x)
    h, cancels = len(x64) - 1, np.isin(kinds, (FLAT, PAIRED))
    of = moments(x64)
    any_mean, any_var = errors_of(of, conventions)
    beside = is_beside_a_power_of_two(len(x64))
    flat, paired = (8192, h / 8 + 1024) if beside else (h / 2 + 8192, h + 8)
    roundings = np.where(kinds == FLAT, flat, paired)
    e_mean = Bound.of(min(h + 3, 256) * U * of.size)
    e_var = Bound.of(np.minimum(h + 8, roundings) * U * of.var)
    strict = np.where(cancels, e_var.strict, any_var.strict)
    widened = conventions.admits_one_pass()
    return (
        Bound(*[np.where(cancels, e_mean.strict, any_mean.strict)] * 2),
        Bound(np.maximum(strict, any_var.allowed) if widened else strict, strict),
    )


def is_beside_a_power_of_two(rows: int) -> bool:
    """Return whether the number of rows is a power of two, or differs from one by 2 at most."""
    return any((rows + d) & (rows + d - 1) == 0 for d in range(-2, 3))


def sharp_statistics(x: npt.ArrayLike, kinds: npt.NDArray[np.int64]) -> tuple[Bound, Bound]:
    """Return further bounds for the batch mean and the batch variance, each (D,).

    A mean is within that of a late column or that of an offset one; a variance, within that of a
    late column or that of a flat one.

    Args:
        x: The batch, (N, D).
        kinds: The kinds of its columns, (D,).
    """
    x64 = oracle.float64(x)
    h = len(x64) - 1
    mean, var = oracle.statistics(x64)
    size, spread = np.abs(x64).mean(axis=0), np.abs(x64 - mean).mean(axis=0)
    late = np.minimum(h + 3, 256 + h**2 / 2**26) * U * size + 3 * U * np.abs(mean)
    offset = h * U * spread / 2 + 8 * U * size
    last = np.count_nonzero(x64, axis=0)
    of_late = (2 * last + 8) * U + last / len(x64)
    e_var = np.where(kinds == LATE, of_late, min(h + 8, 8192) * U) * var
    return Bound.of(np.where(kinds == LATE, late, offset)), Bound.of(e_var)
