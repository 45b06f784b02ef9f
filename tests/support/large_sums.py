"""Correct ways to sum many rows, and to compute mean and variance from sums."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from tests.support.large_algorithms import F, Statistics, _scan, welford

Sum = Callable[[jax.Array], jax.Array]


@jax.jit
def in_order(x):
    return _scan(jnp.add, jnp.zeros(x.shape[1:], F), x)


def backwards(x):
    return in_order(x[::-1])


def by_library(x):
    return jnp.sum(x, axis=0)


@jax.jit
def by_product(x):
    return jnp.matmul(jnp.ones((1, len(x)), F), x, precision="highest")[0]


def sorted_by_value(x):
    return in_order(jnp.asarray(np.sort(np.asarray(x), axis=0)))


@partial(jax.jit, static_argnums=1)
def in_lanes(x, lanes):
    """Every lanes-th row is added to its own sum; then the sums, and the rest."""
    whole = len(x) // lanes * lanes
    totals = in_order(x[:whole].reshape(-1, lanes, x.shape[1]))
    return in_order(jnp.concatenate([totals, x[whole:]]))


@partial(jax.jit, static_argnums=1)
def in_blocks(x, size):
    """Neighboring rows are added; then their sums, and the sum of the rest."""
    whole = len(x) // size * size
    blocks = in_order(jnp.swapaxes(x[:whole].reshape(-1, size, x.shape[1]), 0, 1))
    return in_order(blocks) + in_order(x[whole:])


@jax.jit
def compensated(x):
    """Kahan's sum."""

    def step(carry, row):
        total, lost = carry
        corrected = row - lost
        new = total + corrected
        return new, (new - total) - corrected

    return _scan(step, (jnp.zeros_like(x[0]), jnp.zeros_like(x[0])), x)[0]


@jax.jit
def folded(x):
    """The second half is added to the first one, until one row is left."""
    x = jnp.pad(x, ((0, (1 << (len(x) - 1).bit_length()) - len(x)), (0, 0)))
    while len(x) > 1:
        x = x[: len(x) // 2] + x[len(x) // 2 :]
    return x[0]


@jax.jit
def of_neighbors(x):
    """Neighbors are added, then neighboring sums, and so on."""
    x = jnp.pad(x, ((0, (1 << (len(x) - 1).bit_length()) - len(x)), (0, 0)))
    while len(x) > 1:
        x = x[::2] + x[1::2]
    return x[0]


def sorted_by_size(x):
    rows = np.asarray(x)
    return in_order(jnp.asarray(np.take_along_axis(rows, np.abs(rows).argsort(axis=0), axis=0)))


def plain(add: Sum) -> Statistics:
    def statistics(x):
        mean = add(x) / F(len(x))
        return mean, add(jnp.square(x - mean)) / F(len(x))

    return statistics


def by_reciprocal(add: Sum) -> Statistics:
    def statistics(x):
        share = F(1) / F(len(x))
        mean = add(x) * share
        return mean, add(jnp.square(x - mean)) * share

    return statistics


def scaled_first(add: Sum) -> Statistics:
    """Every row is divided by N before it is added."""

    def statistics(x):
        mean = add(x / F(len(x)))
        return mean, add(jnp.square(x - mean) / F(len(x)))

    return statistics


def with_corrected_rows(add: Sum) -> Statistics:
    """The mean of the deviations is subtracted from them, and added to the mean."""

    def statistics(x):
        count = F(len(x))
        mean = add(x) / count
        rest = x - mean
        more = add(rest) / count
        return mean + more, add(jnp.square(rest - more)) / count

    return statistics


def with_corrected_variance(add: Sum) -> Statistics:
    """The square of the mean of the deviations is subtracted from the variance."""

    def statistics(x):
        share = F(1) / F(len(x))
        mean = add(x) * share
        rest = x - mean
        more = add(rest) * share
        return mean + more, add(jnp.square(rest)) * share - jnp.square(more)

    return statistics


def shifted(add: Sum, by: Sum) -> Statistics:
    """Two passes over x−c."""

    def statistics(x):
        shift = by(x)
        mean = add(x - shift) / F(len(x))
        return shift + mean, add(jnp.square(x - shift - mean)) / F(len(x))

    return statistics


def shifted_in_one_pass(add: Sum, by: Sum) -> Statistics:
    def statistics(x):
        shift = by(x)
        rest = x - shift
        mean = add(rest) / F(len(x))
        return shift + mean, add(jnp.square(rest)) / F(len(x)) - jnp.square(mean)

    return statistics


def corrected_update(x):
    """Welford's mean, corrected by that of the deviations."""
    mean, var = welford(x)
    return mean + in_order(x - mean) / F(len(x)), var


SUMS: dict[str, Sum] = {
    **{f.__name__: f for f in (in_order, backwards, by_library, by_product, sorted_by_value)},
    **{f"in {lanes} lanes": partial(in_lanes, lanes=lanes) for lanes in (2, 3, 7, 8, 128, 333)},
    **{f"in blocks of {size}": partial(in_blocks, size=size) for size in (3, 128, 1000)},
}
SHIFTS: dict[str, Sum] = {
    "first row": lambda x: x[0],
    "last row": lambda x: x[-1],
    "row in the middle": lambda x: x[len(x) // 2],
    "largest": lambda x: x.max(axis=0),
    "smallest": lambda x: x.min(axis=0),
    "middle of the range": lambda x: (x.min(axis=0) + x.max(axis=0)) / 2,
    "median": lambda x: jnp.median(x, axis=0),
    "mean of 8 rows": lambda x: x[:8].mean(axis=0),
    "mean of 1000 rows": lambda x: x[:1000].mean(axis=0),
    "mean of half of the rows": lambda x: x[: len(x) // 4 * 2].mean(axis=0),
}
FORMS = (plain, by_reciprocal, with_corrected_rows, with_corrected_variance)

SUMMED: dict[str, Statistics] = {
    **{f"{form.__name__} {name}": form(add) for form in FORMS for name, add in SUMS.items()},
    **{
        f"{form.__name__} by {shift}, {name}": form(SUMS[name], by)
        for form in (shifted, shifted_in_one_pass)
        for shift, by in SHIFTS.items()
        for name in ("in_order", "by_product", "sorted_by_value", "in 3 lanes")
    },
    "corrected_update": corrected_update,
}

OTHER_SUMS: dict[str, Sum] = {
    **{f.__name__: f for f in (compensated, folded, of_neighbors, sorted_by_size)},
    **{f"in {lanes} lanes": partial(in_lanes, lanes=lanes) for lanes in (5, 12, 100, 1024)},
    **{f"in blocks of {size}": partial(in_blocks, size=size) for size in (2, 77, 4096)},
}
OTHER_SHIFTS: dict[str, Sum] = {
    "row 7": lambda x: x[7],
    "third of the rows": lambda x: x[len(x) // 3],
    "lower quartile": lambda x: jnp.quantile(x, 0.25, axis=0, method="lower"),
    "mean of every tenth row": lambda x: x[::10].mean(axis=0),
    "mean of a block in the middle": lambda x: x[400:912].mean(axis=0),
}
SUMMED_AND_HELD_BACK: dict[str, Statistics] = {
    **{
        f"{form.__name__} {name}": form(add)
        for form in (*FORMS, scaled_first)
        for name, add in OTHER_SUMS.items()
    },
    "scaled_first in_order": scaled_first(in_order),
    **{
        f"{form.__name__} by {shift}, {name}": form(add, by)
        for form in (shifted, shifted_in_one_pass)
        for shift, by in OTHER_SHIFTS.items()
        for name, add in {"in_order": in_order, **OTHER_SUMS}.items()
        if name in {"in_order", "folded", "in 12 lanes"}
    },
}
"""Algorithms that were first tried when columns and bounds were done."""
