"""Columns of many rows whose sums are exact in float32, in whatever order they are added.

Worst-case bounds grow with the number of rows N, and at a million rows they would admit a mean of
16 bits. The columns here are small integers, times a power of two, so that sums of x, and of (x−μ)²
where μ is 0, are integers below 2²⁴ times a power of two, which float32 adds without error. Values
around 0 cancel in pairs, so that a mean that is updated row by row, or merged from blocks of
neighboring rows, stays near 0 as well. Which of the two is positive turns with the golden ratio,
so that this also holds where every second, third, … row has its own lane. Pairs that cancel
are how benchdnn of oneDNN tests its batch normalization.

There are four kinds of column. Flat: ±1 or ±2, so that the variance of any part is that of the
whole. Paired: ±1 to ±3, different in different parts, and −c in a few rows, which only the last
rows make up for. Late: 0, but for the last rows. Offset: P or P+1, regularly spread. The mean of
the last two has more than 16 bits. In all of them any row, the largest or the smallest value, or
the mean of an even number of first rows shifts the others without error.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from conformance.numerics.bounds.exact_sums import FLAT, OFFSET, PAIRED


def integer_column(kind: int, seed: int, rows: int) -> npt.NDArray[np.int64]:
    """Return one column in its unit, (N,) integers; kinds as in this module."""
    flipped = -1 if seed & 1 else 1
    if kind in {FLAT, PAIRED}:
        return flipped * _cancelling_pairs(kind, seed // 2, rows)
    if kind == OFFSET:
        return flipped * _offset_values(seed // 2, rows)
    size = 2 ** (seed // 2 % 3) * max(1, 2 ** int(np.log2(rows) - 11))
    values = np.zeros(rows, np.int64)
    values[-_late_rows(rows) :] = flipped * size
    return values


def _cancelling_pairs(kind: int, seed: int, rows: int) -> npt.NDArray[np.int64]:
    """Return a flat or a paired column: pairs that cancel, with larger values in the last rows.

    The first two rows are 0, and where N is odd, one in the middle.
    """
    place = np.arange(rows - rows % 2)
    pair = place // 2
    values = 1 - 2 * (_spread_bits(pair, seed + 2) ^ place % 2)
    large = max(2, min(11, int(np.sqrt(max(0, 2**24 / rows - 4.75)))))  # squares of x−c: 2²⁴
    many = max(2, min(128 // large, rows // 8) // 2 * 2)
    if kind == FLAT:
        values[:-many] *= 1 + seed % 2
        values[-many:] *= large
    else:
        values *= 1 + scramble(pair >> 6, seed) % 2
        values += np.sign(values) * (scramble(pair >> 13, seed + 1) % 2) * (large > 2)
        start = min(3 * rows // 4, rows - 2 * many) // 2 * 2
        values[start : start + many] = -large
        values[-many:] = large
    values[:2] = 0
    return np.insert(values, [rows // 4 * 2] * (rows % 2), 0)


def _offset_values(seed: int, rows: int) -> npt.NDArray[np.int64]:
    """Return a column of P and P+1, where P < 8, and P+1 is spread as evenly as it can be.

    The part of P+1 is half of the spacing of numbers of 8 bits near P, and half of that of 11 bits.
    """
    least = max(1, min(4 + seed % 4, 2**22 // rows - 1))
    high = round(rows * (2.0**-6 + 2.0**-9) * 2.0 ** (int(np.log2(least)) - 2))
    before = np.arange(rows + 1) * high // rows
    return least + before[1:] - before[:-1]


def _late_rows(rows: int) -> int:
    """Return in how many rows a late column is not 0.

    Of the numbers up to 512, or a quarter of all rows, it is the one for which the mean is
    farthest from a number of 8 bits and from one of 11 bits, relative to their spacing.
    """
    most = min(512, rows // 4)
    numbers = np.arange(most // 2, most + 1)
    fraction, _ = np.frexp(numbers / rows)
    beyond = [np.abs(fraction * 2**bits - np.round(fraction * 2**bits)) for bits in (8, 11)]
    return int(numbers[(np.minimum(*beyond) + beyond[0] / 1000).argmax()])


def _spread_bits(numbers: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Return bits that are as often 0 as 1 among the first numbers, and every m-th of them.

    They tell in which half of the circle a number of turns by the golden ratio ends.
    """
    return ((numbers + scramble(np.array([seed]), 0)) * 0x9E3779B9 >> 31) & 1


def scramble(numbers: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Return a pseudo-random number below 2²⁴ for each number."""
    mixed = (numbers.astype(np.uint64) + np.uint64(seed + 1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(40)).astype(np.int64)
