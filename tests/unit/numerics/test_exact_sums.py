"""The bounds for columns whose sums are exact: correct algorithms keep them, wrong ones do not."""

from __future__ import annotations

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest

from conformance.numerics import oracle
from conformance.numerics.bounds import (
    exact_statistics,
    is_beside_a_power_of_two,
    sharp_statistics,
)
from conformance.numerics.bounds.exact_sums import FLAT, LATE, OFFSET, PAIRED
from conformance.properties.large import MANY_ROWS, MANY_ROWS_BY_PROFILE
from conformance.strategies.tall import KINDS, tall_batch
from tests.support.large_algorithms import HELD_BACK, SUMMING, UPDATING
from tests.support.large_sums import SUMMED, SUMMED_AND_HELD_BACK

SEEDS = (3, 1000)
COLUMNS = np.array([[kind, seed, 0] for kind in KINDS for seed in SEEDS], np.int64)
DEFAULT = [entry.rows for (entry,) in MANY_ROWS]
THOROUGH = [entry.rows for (entry,) in MANY_ROWS_BY_PROFILE["thorough"]]
PROVED = 8
"""Roundings that sums in any order may lose, with those of the division and of a shift."""


@cache
def batch(rows: int) -> np.ndarray:
    return tall_batch(COLUMNS, rows)


@cache
def expected(rows: int):
    """Return mean and variance, and the bounds of their errors."""
    x = batch(rows)
    return oracle.statistics(x), exact_statistics(x, COLUMNS[:, 0])


@cache
def sharper(rows: int):
    """Return the bounds of which late columns, or others, have to keep one."""
    return sharp_statistics(batch(rows), COLUMNS[:, 0])


def ratios(mean, var, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return error ÷ bound of a mean and a variance, for each column.

    That of a late column is the smaller one of it and of another kind by the sharp bounds, if that
    is larger.
    """
    found = []
    for got, exact, bound, sharp, other in zip(
        (mean, var), *expected(rows), sharper(rows), (OFFSET, FLAT), strict=True
    ):
        error = np.abs(np.asarray(got, np.float64) - exact)
        ratio, better = error / bound.strict, error / sharp.strict
        if other == FLAT and is_beside_a_power_of_two(rows):
            found.append(ratio)
            continue
        late, others = (COLUMNS[:, 0] == kind for kind in (LATE, other))
        ratio[late] = np.maximum(ratio[late], np.minimum(better[late], better[others]))
        found.append(ratio)
    return found[0], found[1]


def assert_right(computed, rows: int, largest: float) -> None:
    of_mean, of_var = ratios(*computed(jnp.asarray(batch(rows))), rows)
    assert of_mean.max() <= largest
    assert of_var.max() <= largest


RIGHT = {**SUMMING, **UPDATING, **SUMMED}
QUICK = [
    *("sequential", "shifted", "welford", "running_variance", "merged_tree", "blocks of 3"),
    *("plain sorted_by_value", "with_corrected_rows by_product", "corrected_update"),
    *(f"shifted_in_one_pass by {which} row, in_order" for which in ("first", "last")),
]


@pytest.mark.parametrize("name", QUICK)
def test_correct_algorithms_stay_below_the_bounds(name: str):
    """Sums, corrections, shifts, updates and merges of 65 537 rows."""
    assert_right(RIGHT[name], 65537, 0.6)


LARGEST = (5001, 131073, 802816, 2097152)


@pytest.mark.exhaustive
@pytest.mark.parametrize("rows", LARGEST)
@pytest.mark.parametrize("name", RIGHT)
def test_correct_algorithms_stay_below_the_bounds_at_every_size(name: str, rows: int):
    """No algorithm uses more than six tenths of its bound."""
    assert_right(RIGHT[name], rows, 0.6)


@pytest.mark.exhaustive
@pytest.mark.parametrize("rows", LARGEST)
@pytest.mark.parametrize("name", [*HELD_BACK, *SUMMED_AND_HELD_BACK])
def test_algorithms_that_were_held_back_do_so_as_well(name: str, rows: int):
    """The constants of the bounds were not chosen by these."""
    assert_right({**HELD_BACK, **SUMMED_AND_HELD_BACK}[name], rows, 0.6)


@pytest.mark.exhaustive
@pytest.mark.parametrize("rows", LARGEST)
@pytest.mark.parametrize("name", [*UPDATING, *HELD_BACK])
def test_a_shift_by_the_first_row_changes_no_update(name: str, rows: int):
    """It is 0, or P of P and P+1."""

    def computed(x):
        mean, var = {**UPDATING, **HELD_BACK}[name](x - x[0])
        return x[0] + mean, var

    assert_right(computed, rows, 0.6)


@pytest.mark.parametrize("rows", [4097, 65537, 802816])
def test_sums_lose_a_few_roundings_whatever_the_number_of_rows(rows: int):
    """What is proved of exact sums holds: 3u for the mean, and for the variance around 0."""
    x = batch(rows)
    (mean, var), _ = expected(rows)
    total = np.add.accumulate(x, axis=0, dtype=np.float32)[-1]  # one row after the other
    got = total / np.float32(rows)
    assert (np.abs(got - mean) <= PROVED * 2.0**-24 * np.abs(mean)).all()
    centred = np.isin(COLUMNS[:, 0], (FLAT, PAIRED))
    squares = np.add.accumulate(np.square(x), axis=0, dtype=np.float32)[-1] / np.float32(rows)
    assert (np.abs(squares - var)[centred] <= PROVED * 2.0**-24 * var[centred]).all()


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return oracle.statistics(x.astype(np.float64))


def without_tail(x: np.ndarray, size: int):
    """The last, partial block is left out; a full one, where there is no partial one."""
    return moments(x[: (len(x) - 1) // size * size])


def without_tail_in_sums(x: np.ndarray, size: int):
    kept = x[: (len(x) - 1) // size * size].astype(np.float64)
    mean, _ = moments(x)
    return kept.sum(axis=0) / len(x), np.square(kept - mean).sum(axis=0) / len(x)


def weighed_equally(x: np.ndarray, size: int):
    """Means of blocks are averaged, whatever their sizes."""
    mean, _ = moments(x)
    blocks = np.split(x.astype(np.float64), range(size, len(x), size))
    means = np.mean([block.mean(axis=0) for block in blocks], axis=0)
    return means, np.mean([np.square(b - mean).mean(axis=0) for b in blocks], axis=0)


def first_rows(x: np.ndarray, size: int):
    return moments(x[:size])


def without_first_block(x: np.ndarray, size: int):
    return moments(x[size:])


FAULTY = (without_tail, without_tail_in_sums, weighed_equally, first_rows, without_first_block)
BLOCKS = (64, 100, 128, 1000, 1024, 4096, 10_000, 16_384, 40_000, 65_535, 65_536)


def is_shown(faulty, block: int, *, of_mean: bool) -> bool:
    """Return whether a mistake in one of the statistics exceeds a bound at a default size."""
    for rows in DEFAULT:
        differs = rows % block or faulty is not weighed_equally
        if block < rows and differs:
            wrong = ratios(*faulty(batch(rows), block), rows)[0 if of_mean else 1]
            if (wrong > 2).any():
                return True
    return False


@pytest.mark.parametrize("of_mean", [True, False], ids=["mean", "variance"])
@pytest.mark.parametrize("faulty", FAULTY, ids=lambda f: f.__name__)
def test_no_block_is_lost_unseen(faulty, of_mean: bool):
    """Of any size up to 65 536, in the mean alone or in the variance alone, at a default size."""
    unseen = [b for b in BLOCKS if not is_shown(faulty, b, of_mean=of_mean)]
    assert not unseen


@pytest.mark.parametrize("rows", DEFAULT)
def test_the_last_row_is_missed(rows: int):
    """Each statistic shows that the last row alone is left out, or the last 32 of 802 816."""
    for wrong in ratios(*moments(batch(rows)[: -32 if rows > 200_000 else -1]), rows):
        assert (wrong > 1).any()


def total_of_blocks(values: np.ndarray, dtype) -> np.ndarray:
    """Return the sums of blocks of 1024 rows, added in another dtype."""
    padded = np.pad(values, ((0, -len(values) % 1024), (0, 0)))
    sums = padded.reshape(-1, 1024, values.shape[1]).sum(axis=1).astype(dtype)
    added = sums[0]
    for each in sums[1:]:
        added = (added + each).astype(dtype)
    return added.astype(np.float64)


@pytest.mark.parametrize("rows", [65537, 131073])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_sums_in_sixteen_bits_are_seen(dtype, rows: int):
    """Sums of blocks that are added in 16 bits exceed the bounds."""
    x = batch(rows)
    (mean, _), _ = expected(rows)
    squares = np.square(x - mean.astype(np.float32))
    with np.errstate(over="ignore"):
        computed = [total_of_blocks(values, dtype) / rows for values in (x, squares)]
    of_mean, of_var = ratios(*computed, rows)
    assert (of_mean > 2).any()
    assert (of_var > 2)[COLUMNS[:, 0] == PAIRED].all()


@pytest.mark.parametrize("bits", [8, 16])
def test_narrow_counts_are_seen(bits: int):
    """A count that wraps around, at each size beyond its range."""
    for rows in DEFAULT:
        if rows < 2**bits:
            continue
        (mean, var), _ = expected(rows)
        share = rows / max(1, rows % 2**bits)
        of_mean, of_var = ratios(mean * share, var * share, rows)
        assert (of_mean > 2)[COLUMNS[:, 0] == LATE].all()
        assert (of_var > 2)[(COLUMNS[:, 0] == FLAT) | (COLUMNS[:, 0] == PAIRED)].all()


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_counts_rounded_to_sixteen_bits_are_seen(dtype):
    """A count with 8 or 11 significant bits, at 4097 rows and at some of the other sizes."""
    shown = []
    for rows in THOROUGH[:8]:  # up to 65 537
        (mean, var), _ = expected(rows)
        with np.errstate(over="ignore"):
            share = rows / float(np.asarray(rows, dtype))
        shown += [rows] if (ratios(mean, var * share, rows)[1] > 1).any() else []
    assert 4097 in shown
    assert len(shown) > 2
