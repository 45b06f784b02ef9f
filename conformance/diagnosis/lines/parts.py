"""What layers compute that go through a batch part by part: the statistics of consecutive rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np

from conformance.diagnosis.approximate import Approximate, exact, rearrange, total
from conformance.diagnosis.lines.steps import Quantities
from conformance.diagnosis.observe import Observation

MOST_ROWS = 8
"""Rows of the largest batch of which all parts are looked at."""

_STACKED = ("mean", "variance", "sum", "sum of squared deviations", "mean of squares")


def statistics_of_parts(call: Observation) -> Quantities:
    """Return what is computed of parts of a batch by name; nothing of many rows, or backwards."""
    assert call.call is not None, "a call is traced"  # noqa: S101
    x = exact(call.call.x.astype(np.float64))
    rows = x.shape[0]
    if rows > MOST_ROWS or call.gradients is not None:
        return {}
    ends = [*combinations(range(rows + 1), 2)]
    with np.errstate(all="ignore"):
        named = {f"{name} of rows {at}": value for at in ends for name, value in _of(x, *at)}
        for parts in _partitions(rows):
            named |= _stacked(named, parts, rows)
        for first, middle in ends:
            before = named[f"mean of rows {(first, middle)}"]
            for last in range(middle + 1, rows + 1):
                step = named[f"mean of rows {(middle, last)}"] - before
                place = f"rows {first, middle, last}"
                named |= {f"step to {place}": step, f"squared step to {place}": step * step}
    return named


def _partitions(rows: int) -> Iterator[list[tuple[int, int]]]:
    """Yield the first and last rows of parts of (nearly) equal size, or of all but one."""
    for size in range(1, rows):
        yield [(at, min(at + size, rows)) for at in range(0, rows, size)]
    for count in range(2, rows):
        sizes = [len(part) for part in np.array_split(np.arange(rows), count)]
        yield [*pairwise([0, *map(int, np.cumsum(sizes))])]


def _stacked(named: Quantities, parts: Sequence[tuple[int, int]], rows: int) -> Quantities:
    """Return the statistics of all parts, (k, D), and the shares of their rows, (k,)."""
    counts = np.array([end - first for first, end in parts], np.float64)
    found = {f"rows in {parts}": exact(counts), f"shares in {parts}": exact(counts / rows)}
    for name in _STACKED:
        each = [named[f"{name} of rows {part}"] for part in parts]
        values, errors = np.stack([e.value for e in each]), np.stack([e.error for e in each])
        found[f"{name} in {parts}"] = stack = Approximate(values, errors)
        found[f"share of {name} in {parts}"] = stack * (counts[:, None] / rows)
        found[f"{name} by rows in {parts}"] = stack * counts[:, None]
    return found


def _of(x: Approximate, first: int, last: int) -> Iterator[tuple[str, Approximate]]:
    """Yield the statistics of consecutive rows, (D,), and their deviations, (n, D)."""
    rows, count = x[first:last], last - first
    sums = _total(rows)
    mean = sums / count
    centred = rows - mean
    squares = _total(centred * centred)
    yield "rows", rows
    if count == 1:  # computed without any rounding
        yield "deviation", exact(np.zeros(x.shape[1]))
    yield "sum", sums
    yield "mean", mean
    yield "deviations", centred
    yield "squared deviations", centred * centred
    yield "sum of squared deviations", squares
    yield "variance", squares / count
    yield "sum of squares", _total(rows * rows)
    yield "mean of squares", _total(rows * rows) / count


def _total(values: Approximate) -> Approximate:
    return rearrange(lambda each: each[0], total(values, axis=0))
