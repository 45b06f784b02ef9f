"""Batches of many rows: their sums are exact, and no part of them can be lost unseen."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from conformance.numerics.bounds.exact_sums import FLAT, LATE, OFFSET, PAIRED
from conformance.properties.large import MANY_ROWS, MANY_ROWS_BY_PROFILE
from conformance.strategies.bytestream import draw_from_bytes, expand_seed
from conformance.strategies.codec import decode, encode
from conformance.strategies.exact_columns import integer_column
from conformance.strategies.tall import (
    KINDS,
    LEAST_ROWS,
    Tall,
    sparse_cases,
    tall_batch,
    tall_cases,
    wide_cases,
)

EXACT = 2**24
"""The integers up to which float32 has all of them."""

SIZES = sorted({entries[0].rows for entries in MANY_ROWS_BY_PROFILE["thorough"]})
SEEDS = (0, 1, 2, 7, 12345, 65535)


def draw(strategy, number: int = 1):
    return draw_from_bytes(expand_seed(b"tall", number), {"drawn": strategy})["drawn"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [LEAST_ROWS, LEAST_ROWS + 1, 100, *SIZES])
def test_sums_are_exact_in_any_order(kind: int, rows: int):
    """No partial sum exceeds 2²⁴ units; nor does one of squares, where the mean is 0."""
    for seed in SEEDS:
        column = integer_column(kind, seed, rows)
        assert len(column) == rows
        assert np.abs(column).sum() <= EXACT
        if kind in {FLAT, PAIRED}:
            assert column.sum() == 0
            assert np.square(column).sum() <= EXACT


@pytest.mark.parametrize("kind", [FLAT, PAIRED])
@pytest.mark.parametrize("rows", SIZES)
def test_every_row_shifts_the_others_exactly(kind: int, rows: int):
    """Sums of x−c and of its square are exact for any row c, and so is the mean of first rows."""
    for seed in SEEDS:
        column = integer_column(kind, seed, rows)
        for shift in (column.min(), column.max()):
            assert np.abs(column - shift).sum() <= EXACT
            assert np.square(column - shift).sum() <= EXACT
        assert (column[: rows // 4 * 2].cumsum()[1::2] == 0).all()
        assert (column[:2] == 0).all()


@pytest.mark.parametrize("rows", SIZES)
def test_every_row_shifts_the_others_of_columns_with_a_mean(rows: int):
    """Late columns have 0 and a power of two, offset ones two neighbors, regularly spread."""
    for seed in SEEDS:
        late = np.abs(integer_column(LATE, seed, rows))
        assert late[0] == 0
        assert late[-1] == late.max() == 2 ** int(np.log2(late[-1]))
        offset = np.abs(integer_column(OFFSET, seed, rows))
        assert {*offset.tolist()} == {offset[0], offset[0] + 1}
        assert 4 * offset.sum() <= EXACT
        assert np.abs((offset - offset.mean()).cumsum()).max() <= 1


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 10, 64])
def test_sums_of_neighbors_and_of_lanes_stay_small(step: int):
    """So do the means that updating algorithms keep, in every second, third, … row as well."""
    for kind, seed in ((FLAT, 2), (FLAT, 9), (PAIRED, 7), (PAIRED, 65535)):
        column = integer_column(kind, seed, 65537)
        most = 300 if kind == PAIRED else 100
        for lane in range(step):
            assert np.abs(column[lane::step].cumsum()).max() <= most, (kind, lane)


@pytest.mark.parametrize(
    ("dtype", "bits", "least"), [(jnp.bfloat16, 8, 5000), (jnp.float16, 11, 200_000)]
)
def test_a_mean_needs_more_than_sixteen_bits(dtype, bits: int, least: int):
    """Rounding the mean to 16 bits moves it by a quarter of their spacing."""
    for rows in (size for size in SIZES if size >= least):
        for kind, seed in itertools.product((LATE, OFFSET), SEEDS):
            if kind == LATE and bits > 8 and rows & (rows - 1) == 0:
                continue  # a mean of 512 rows of 2ⁿ has few bits
            mean = integer_column(kind, seed, rows).mean()
            _, exponent = np.frexp(mean)
            rounded = float(np.asarray(mean, dtype))
            assert abs(rounded - mean) > 2.0 ** (exponent - bits) / 5, (rows, kind, seed)


def test_columns_differ_by_seed():
    """Two runs see other signs, sizes, constants and parts."""
    for kind in KINDS:
        columns = {integer_column(kind, seed, 65537).tobytes() for seed in range(40)}
        assert len(columns) >= {FLAT: 40, PAIRED: 40, LATE: 6, OFFSET: 8}[kind]


def test_all_kinds_are_drawn():
    """Three columns and more have the kinds in turn; fewer start with a drawn one."""
    for (entry,) in MANY_ROWS:
        drawn = draw(tall_cases((entry,)))
        assert drawn.columns[:, 0].tolist() == list(KINDS[: entry.features])
    single = next(p for p in MANY_ROWS_BY_PROFILE["thorough"] if p[0].features == 1)
    assert {draw(tall_cases(single), n).columns[0, 0] for n in range(40)} == {*KINDS}


def test_descriptions_are_short_and_lossless():
    """A stored counterexample has the numbers that describe a batch, not the batch."""
    drawn = draw(tall_cases(MANY_ROWS[-1]))
    again = decode(encode(drawn))
    assert isinstance(again, Tall)
    assert np.array_equal(again.case.x, drawn.case.x)
    assert len(repr(encode(drawn))) < 2000


def test_cotangents_reach_both_ends():
    """The first rows and the last two have a cotangent, which few others have."""
    drawn = draw(sparse_cases(MANY_ROWS[1]))
    w = drawn.w
    assert w.shape == drawn.tall.case.x.shape
    assert (w[[1, 2, -2, -1]] != 0).all()
    assert np.count_nonzero(w[:, 0]) == len(drawn.where) <= 16


def test_features_differ():
    """Wide batches have other values in each feature, and states to match."""
    drawn = draw(wide_cases(MANY_ROWS[:1][0]))
    assert drawn.case.x.shape == (1025, 4)
    (entry,) = MANY_ROWS_BY_PROFILE["quick"][0]
    assert drawn.case.state is not None
    assert drawn.case.state.gamma.shape == (entry.features,)
    wide = drawn._replace(config=drawn.config, rows=5)
    assert len(np.unique(wide.case.x, axis=1).T) > 1


def test_units_are_powers_of_two():
    """A column is scaled exactly."""
    columns = np.array([[PAIRED, 3, -3]], np.int64)
    assert np.array_equal(tall_batch(columns, 100)[:, 0] * 8, integer_column(PAIRED, 3, 100))
