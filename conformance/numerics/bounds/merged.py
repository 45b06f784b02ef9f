"""Bounds for the statistics of a batch that is spread over shards.

Notation as in the package, N being the rows of all shards together, and S the number of shards.
"""

from __future__ import annotations

import numpy as np

from conformance.numerics import oracle
from conformance.numerics.bounds.accuracy import Bound, Float64, U
from conformance.numerics.bounds.moments import mean_error, one_pass_error, variance_error
from conformance.numerics.conventions import STRICT, Conventions


def merged_statistics(
    x: Float64, shards: int, conventions: Conventions = STRICT
) -> tuple[Bound, Bound]:
    """Return the bounds for mean and variance, each (D,), of rows spread over shards in any way.

    Args:
        x: The rows of all shards together, (N, D).
        shards: S.
        conventions: They say whether a variance in one pass is admitted.
    """
    e_mean = merged_mean_error(x, shards)
    strict = merged_variance_error(x, e_mean)
    admits = conventions.admits_one_pass()
    wider = np.maximum(strict, 3 * one_pass_error(x)) if admits else strict
    return Bound.of(e_mean), Bound.of(strict, wider)


def merged_mean_error(x: Float64, shards: int) -> Float64:
    """Return e_μ, (D,).

    A sum of sums has no more additions per summand than a single sum. A mean of means has one
    division and one product more: (h+5)·u·A instead of (h+3)·u·A. It is valid for weights by counts
    as well, since the weighted mean of the shards' A is A. Merging one shard after the other,
    μ + δ·n/N, rounds each step, at most the range of x, three times: 3(S−1)·u·(max x − min x).
    A single row is exact: its counts are 1 and 0.

    Args:
        x: The rows of all shards together, (N, D).
        shards: S.
    """
    h = len(x) - 1
    steps = 3 * (shards - 1) * U * np.ptp(x, axis=0)
    error: Float64 = mean_error(x) * (h + 5) / (h + 3) + steps
    return error


def merged_variance_error(x: Float64, e_mean: Float64) -> Float64:
    """Return e_v, (D,), given e_μ.

    Two passes with one mean for all shards: as for one batch, with e_μ from above.

    Variances of the shards, and of their means: v = Σ p_s·(v_s + (μ_s−μ)²) with p_s = n_s/N. The
    error of v_s is at most 4σ_s·e_s, that of a square 2|μ_s−μ|·(e_s + e_μ), with
    e_s = (h+3)·u·A_s. By Cauchy–Schwarz Σ p_s·σ_s·A_s ≤ σ·√(v+μ²), as A_s² ≤ v_s + μ_s². S−1
    merges share the variance between shards, so their errors add to at most √(S−1) times that of
    one. For S ≤ 4: e_v ≤ (h+10)·u·(v + 10σ·√(v+μ²)) + 4((h+5)u)²·(v+μ²) + 2e_μ².

    Args:
        x: The rows of all shards together, (N, D).
        e_mean: e_μ, (D,).
    """
    h = len(x) - 1
    mean, var = oracle.statistics(x)
    std, size = np.sqrt(var), var + mean**2
    two_pass = (h + 10) * U * var + (1 + (h + 10) * U) * e_mean**2 + 4 * std * e_mean
    merged = (h + 10) * U * (var + 10 * std * np.sqrt(size))
    merged += 4 * ((h + 5) * U) ** 2 * size + 2 * e_mean**2
    error: Float64 = np.maximum(np.maximum(two_pass, merged), 2 * variance_error(x))
    return error
