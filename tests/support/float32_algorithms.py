"""Columns, and correct ways to normalise them in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from conformance.numerics.state import State
from conformance.strategies.columns import BLOCK, Columns, decode_columns

F = np.float32
Statistics = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

EPS = 1e-5
MOMENTUM = 0.9
COLUMNS = 300
ROWS = (1, 2, 3, 5, 7, 8, 13, 17, 33, 40)


# Inputs


@cache
def generated(rows: int) -> Columns:
    """Return several hundred columns as the strategies make them, constants and κ ≤ 1e4 in it."""
    rng = np.random.default_rng(rows)
    return decode_columns([rng.bytes(BLOCK) for _ in range(COLUMNS)], rows, EPS)


@cache
def constants(rows: int) -> np.ndarray:
    """Return columns of one number each: the errors of a sequential sum share one sign."""
    rng = np.random.default_rng(rows)
    values = rng.uniform(0.5, 2, COLUMNS) * 10 ** rng.uniform(-3, 5, COLUMNS)
    return np.tile(values.astype(F), (rows, 1))


@cache
def far_from_zero(rows: int) -> np.ndarray:
    """Return columns at 300 to 1e4 standard deviations from zero, on both sides."""
    rng = np.random.default_rng(rows)
    kappa = rng.choice([300, -300, 1e3, 3e3, -1e4, 1e4], COLUMNS)
    noise = rng.standard_normal((rows, COLUMNS))
    noise /= noise.std(axis=0) if rows > 1 else 1
    return ((noise + kappa) * 10 ** rng.uniform(-2, 2, COLUMNS)).astype(F)


def inputs(rows: int) -> list[np.ndarray]:
    return [generated(rows).x, constants(rows), far_from_zero(rows)]


def parameters(features: int) -> State:
    drawn = generated(2)
    return State(drawn.gamma, drawn.beta, drawn.running_mean, drawn.running_var).take(
        np.arange(features) % COLUMNS
    )


# Correct algorithms in float32


def sequential_sum(values: np.ndarray) -> np.ndarray:
    total = np.zeros_like(values[0])
    for value in values:
        total = total + value
    return total


def pairwise_sum(values: np.ndarray) -> np.ndarray:
    if len(values) == 1:
        return values[0]
    half = (len(values) + 1) // 2
    return pairwise_sum(values[:half]) + pairwise_sum(values[half:])


def two_pass(x: np.ndarray, total=sequential_sum) -> tuple[np.ndarray, np.ndarray]:
    mean = total(x) / F(len(x))
    return mean, total(np.square(x - mean)) / F(len(x))


def pairwise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return two_pass(x, pairwise_sum)


def by_reciprocal(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    share = F(1) / F(len(x))
    mean = sequential_sum(x) * share
    return mean, sequential_sum(np.square(x - mean)) * share


def corrected(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, var = two_pass(x)
    rest = sequential_sum(x - mean) / F(len(x))
    return mean, np.maximum(var - rest * rest, F(0))


def welford(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, squares = np.zeros_like(x[0]), np.zeros_like(x[0])
    for count, row in enumerate(x, 1):
        delta = row - mean
        mean = mean + delta / F(count)
        squares = squares + delta * (row - mean)
    return mean, squares / F(len(x))


def shifted(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    d = x - x[0]
    rest = sequential_sum(d) / F(len(x))
    var = sequential_sum(np.square(d)) / F(len(x)) - rest * rest
    return x[0] + rest, np.maximum(var, F(0))


def chunked(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count, mean, squares = 0, np.zeros_like(x[0]), np.zeros_like(x[0])
    for start in range(0, len(x), 4):
        chunk = x[start : start + 4]
        size, both = len(chunk), count + len(chunk)
        center = sequential_sum(chunk) / F(size)
        delta = center - mean
        squares = squares + sequential_sum(np.square(chunk - center))
        squares = squares + delta * delta * F(count * size / both)
        mean = mean + delta * F(size / both)
        count = both
    return mean, squares / F(count)


def one_pass(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = sequential_sum(x) / F(len(x))
    var = sequential_sum(np.square(x)) / F(len(x)) - mean * mean
    return mean, np.maximum(var, F(0))


STABLE = (two_pass, pairwise, by_reciprocal, corrected, welford, shifted, chunked)


def direct(x, mean, r, gamma, beta):
    return gamma * ((x - mean) * r) + beta


def premultiplied(x, mean, r, gamma, beta):
    return (x - mean) * (gamma * r) + beta


def fused(x, mean, r, gamma, beta):
    scale = gamma * r
    return x * scale + (beta - mean * scale)


APPLIED = (direct, premultiplied, fused)
