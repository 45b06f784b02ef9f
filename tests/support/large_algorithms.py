"""Correct ways to compute mean and variance of many rows in float32, as compiled loops."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

Statistics = Callable[[jax.Array], tuple[jax.Array, jax.Array]]

F = jnp.float32


def _scan(step, carry, rows):
    return jax.lax.scan(lambda c, row: (step(c, row), None), carry, rows)[0]


@jax.jit
def sequential(x):
    """Both passes row by row, the mean by a rounded 1/N."""
    zeros = jnp.zeros_like(x[0])
    mean = _scan(jnp.add, zeros, x) * (F(1) / F(x.shape[0]))
    return mean, _scan(lambda s, row: s + jnp.square(row - mean), zeros, x) / x.shape[0]


@jax.jit
def library(x):
    return jnp.mean(x, axis=0), jnp.var(x, axis=0)


@jax.jit
def corrected(x):
    mean = jnp.mean(x, axis=0)
    d = x - mean
    return mean, jnp.mean(jnp.square(d), axis=0) - jnp.square(jnp.mean(d, axis=0))


@jax.jit
def shifted(x):
    d = x - x[0]
    mean = jnp.mean(d, axis=0)
    var = jnp.mean(jnp.square(d), axis=0) - jnp.square(mean)
    return x[0] + mean, jnp.maximum(0, var)


@jax.jit
def welford(x):
    def step(carry, row):
        n, mean, squares = carry
        new = mean + (row - mean) / (n + 1)
        return n + 1, new, squares + (row - mean) * (row - new)

    zeros = jnp.zeros_like(x[0])
    n, mean, squares = _scan(step, (F(0), zeros, zeros), x)
    return mean, squares / n


@jax.jit
def welford_backwards(x):
    return welford(x[::-1])


@jax.jit
def welford_by_reciprocals(x):
    def step(carry, row):
        n, mean, squares = carry
        d, share = row - mean, 1 / (n + 1)
        return n + 1, mean + d * share, squares + d * d * (n * share)

    zeros = jnp.zeros_like(x[0])
    n, mean, squares = _scan(step, (F(0), zeros, zeros), x)
    return mean, squares * (1 / n)


@jax.jit
def running_variance(x):
    """The variance, not the sum of squares, is updated."""

    def step(carry, row):
        n, mean, var = carry
        new = mean + (row - mean) / (n + 1)
        return n + 1, new, var + ((row - mean) * (row - new) - var) / (n + 1)

    zeros = jnp.zeros_like(x[0])
    return _scan(step, (F(0), zeros, zeros), x)[1:]


@jax.jit
def weighted_mean(x):
    """m ← (n·m + x)/(n+1)."""

    def step(carry, row):
        n, mean, squares = carry
        new = (n * mean + row) / (n + 1)
        return n + 1, new, squares + (row - mean) * (row - new)

    zeros = jnp.zeros_like(x[0])
    n, mean, squares = _scan(step, (F(0), zeros, zeros), x)
    return mean, squares / n


def _merge(a, b):
    """Merge (count, mean, squares) of two parts, by Chan, Golub and LeVeque."""
    (n, mean, squares), (k, mean_b, squares_b) = a, b
    total, d = n + k, mean_b - mean
    share = k / jnp.maximum(total, 1)
    return total, mean + d * share, squares + squares_b + d * d * (n * share)


def _part(rows):
    mean = rows.mean(axis=0)
    return F(rows.shape[0]), mean, jnp.square(rows - mean).sum(axis=0)


@partial(jax.jit, static_argnums=1)
def merged_blocks(x, size):
    """Blocks of neighboring rows are merged one after the other, the rest last."""
    whole = len(x) // size * size
    zeros = jnp.zeros_like(x[0])
    blocks = x[:whole].reshape(-1, size, x.shape[1])
    merged = _scan(lambda c, rows: _merge(c, _part(rows)), (F(0), zeros, zeros), blocks)
    merged = _merge(merged, _part(x[whole:])) if whole < len(x) else merged
    return merged[1], merged[2] / merged[0]


@partial(jax.jit, static_argnums=1)
def merged_lanes(x, lanes):
    """Every lanes-th row is updated by itself; then the lanes are merged, and the rest."""
    whole = len(x) // lanes * lanes

    def step(carry, rows):
        n, mean, squares = carry
        new = mean + (rows - mean) / (n + 1)
        return n + 1, new, squares + (rows - mean) * (rows - new)

    rows = x[:whole].reshape(-1, lanes, x.shape[1])
    zeros = jnp.zeros_like(rows[0])
    n, means, squares = _scan(step, (F(0), zeros, zeros), rows)
    mean = means.mean(axis=0)
    merged = n * lanes, mean, (squares + n * jnp.square(means - mean)).sum(axis=0)
    merged = _merge(merged, _part(x[whole:])) if whole < len(x) else merged
    return merged[1], merged[2] / merged[0]


@jax.jit
def merged_tree(x):
    """Neighbors are merged, then neighboring pairs, and so on."""
    size = 1 << (len(x) - 1).bit_length()
    mean = jnp.pad(x, ((0, size - len(x)), (0, 0)))
    count = (jnp.arange(size) < len(x)).astype(F)[:, None]
    merged = count, mean, jnp.zeros_like(mean)
    while len(merged[1]) > 1:
        merged = _merge(tuple(a[::2] for a in merged), tuple(a[1::2] for a in merged))
    count, mean, squares = (a[0] for a in merged)
    return mean, squares / count


def blocks_of(size: int) -> Statistics:
    return lambda x: merged_blocks(x, size)


def lanes_of(lanes: int) -> Statistics:
    return lambda x: merged_lanes(x, lanes)


UPDATING: dict[str, Statistics] = {
    **{f.__name__: f for f in (welford, welford_backwards, welford_by_reciprocals)},
    **{f.__name__: f for f in (running_variance, weighted_mean, merged_tree)},
    **{f"blocks of {size}": blocks_of(size) for size in (2, 3, 5, 7, 127, 128, 1000, 1023)},
    **{f"{lanes} lanes": lanes_of(lanes) for lanes in (2, 3, 7, 8, 128, 333)},
}
SUMMING: dict[str, Statistics] = {f.__name__: f for f in (sequential, library, corrected, shifted)}
HELD_BACK: dict[str, Statistics] = {
    **{f"blocks of {size}": blocks_of(size) for size in (6, 9, 11, 33, 64, 255, 513, 4096)},
    **{f"{lanes} lanes": lanes_of(lanes) for lanes in (4, 5, 6, 9, 16, 64, 100, 1000)},
}
"""Algorithms on which the constants of the bounds were not chosen."""
