"""Bounds of statistics over shards: against correct ways of merging, and they can fail."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from support.domain_columns import COLUMNS, F, add_rows, draw_columns, sums_of_sums

from conformance.numerics import bounds, oracle
from conformance.numerics.conventions import STRICT, Conventions
from conformance.requirements.deviations import Deviation

ONE_PASS = Conventions(frozenset({Deviation.ONE_PASS_VARIANCE}))
SHARES = ((1, 1), (1, 5), (4, 4), (2, 0), (0, 3), (3, 3, 3, 3), (1, 7, 0, 2), (10, 1, 1, 1))
"""Rows by shard; one of them may have none."""


def far_from_zero(rows: int) -> np.ndarray:
    rng = np.random.default_rng(rows)
    offset = rng.choice([300, -300, 1e3, -1e4, 1e4], COLUMNS)
    return ((rng.standard_normal((rows, COLUMNS)) + offset) * 3).astype(F)


def outlying(rows: int) -> np.ndarray:
    """One shard far from the others, so the factors of the weights are large."""
    x = np.random.default_rng(rows).standard_normal((rows, COLUMNS)) * 1e-2
    x[0] += 1e3
    return x.astype(F)


def split_rows(x: np.ndarray, shares: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(x, np.cumsum(shares)[:-1])


def statistics_of(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = F(max(len(part), 1))
    mean = add_rows(part) / rows
    return mean, add_rows(np.square(part - mean)) / rows


def weighted(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Means of means, and variances within and between."""
    rows = sum(map(len, parts))
    weights = [F(len(p)) / F(rows) for p in parts]
    each = [statistics_of(p) for p in parts]
    mean = add_rows(np.array([w * m for w, (m, _) in zip(weights, each, strict=True)]))
    inner = add_rows(np.array([w * v for w, (_, v) in zip(weights, each, strict=True)]))
    outer = [w * np.square(m - mean) for w, (m, _) in zip(weights, each, strict=True)]
    return mean, inner + add_rows(np.array(outer))


def merged(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Chan's formula, one shard after the other."""
    count, mean, squares = 0, np.zeros(COLUMNS, F), np.zeros(COLUMNS, F)
    for part in parts:
        both = count + len(part)
        other, var = statistics_of(part)
        delta = other - mean
        mean = mean + delta * F(len(part) / max(both, 1))
        squares = squares + var * F(len(part))
        squares = squares + np.square(delta) * F(count * len(part) / max(both, 1))
        count = both
    return mean, squares / F(count)


def square_roots_of_moments(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """One message: means of x and of x²."""
    rows = F(sum(map(len, parts)))
    mean = add_rows(np.array([add_rows(p) for p in parts])) / rows
    square = add_rows(np.array([add_rows(np.square(p)) for p in parts])) / rows
    return mean, np.maximum(square - mean * mean, F(0))


def ratios(x: np.ndarray, shares: tuple[int, ...], algorithm: Callable, conventions: Conventions):
    """Return the largest error ÷ bound of mean and variance."""
    x64 = x.astype(np.float64)
    limits = bounds.merged_statistics(x64, len(shares), conventions)
    found, truth = algorithm(split_rows(x, shares)), oracle.statistics(x64)
    return [
        float((np.abs(got - wanted) / limit.allowed).max())
        for got, wanted, limit in zip(found, truth, limits, strict=True)
    ]


@pytest.mark.parametrize("shares", SHARES, ids=str)
@pytest.mark.parametrize("algorithm", [sums_of_sums, weighted, merged])
def test_correct_ways_of_sharing_stay_within(algorithm: Callable, shares: tuple[int, ...]):
    """Sums, weighted means and merges, over any cut, never exceed the bound."""
    rows = sum(shares)
    for x in (draw_columns(rows).x, far_from_zero(rows), outlying(rows)):
        assert max(ratios(x, shares, algorithm, STRICT)) <= 1


@pytest.mark.parametrize("shares", SHARES, ids=str)
def test_shared_moments_need_their_declaration(shares: tuple[int, ...]):
    """E[x²] − E[x]² stays within its own bound, and exceeds the strict one far from zero."""
    rows = sum(shares)
    for x in (draw_columns(rows).x, far_from_zero(rows)):
        assert max(ratios(x, shares, square_roots_of_moments, ONE_PASS)) <= 1
    if rows > 2:
        x = far_from_zero(rows)
        assert max(ratios(x, shares, square_roots_of_moments, STRICT)) > 1


def test_variances_of_shards_alone_exceed_the_bound():
    """Without the variance of the means the bound is missed, so it is not too wide for that."""

    def inner(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        mean, _ = sums_of_sums(parts)
        return mean, add_rows(np.array([statistics_of(p)[1] for p in parts])) / F(len(parts))

    assert max(ratios(draw_columns(8).x, (4, 4), inner, STRICT)) > 1
