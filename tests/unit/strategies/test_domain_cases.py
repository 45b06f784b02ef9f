"""Cases of the extended domain: all are valid, and those that find mistakes occur."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.numerics.dtypes import LARGEST_IN_FLOAT16
from conformance.strategies import domain_cases, precision_cases
from conformance.strategies.bytestream import ByteReader, ByteStrategy, expand_seed
from conformance.strategies.codec import decode, encode

SEEDS = [bytes([1, k % 256, k // 256]) for k in range(400)]


def draw_all(strategy: ByteStrategy[Any]) -> list[Any]:
    return [ByteReader(expand_seed(seed)).draw(strategy) for seed in SEEDS]


MASKED = draw_all(domain_cases.masked_cases(domain_cases.MASKED))
SPECIAL = draw_all(domain_cases.masked_cases(domain_cases.MASKED, special=True))
FOLDED = draw_all(domain_cases.folded_cases(domain_cases.LAYOUTS))
PULLED_HALF = draw_all(precision_cases.pulled_half_cases(precision_cases.PRECISE))
HALF = draw_all(precision_cases.half_cases(precision_cases.PRECISE[:2]))
DOUBLE = draw_all(precision_cases.double_cases(precision_cases.DOUBLE))
WHOLE = draw_all(domain_cases.spread_cases(domain_cases.CUTS))
UNEVEN = draw_all(domain_cases.uneven_cases(domain_cases.CUTS[1:]))
EMPTY = draw_all(
    domain_cases.uneven_cases((domain_cases.CUTS[0], domain_cases.CUTS[2]), empty=True)
)


def share(values: list[Any], holds: Any) -> float:
    return sum(bool(holds(value)) for value in values) / len(values)


@pytest.mark.parametrize("values", [MASKED, SPECIAL, UNEVEN, EMPTY])
def test_some_row_counts_and_others_are_not_pulled_back(values: list[Any]):
    """K is never empty, the cotangent outside of it is 0, and rows of K are plain numbers."""
    for each in values:
        assert each.kept.dtype == bool
        assert each.kept.shape == each.case.x.shape[:1]
        assert each.kept.any()
        assert not each.w[~each.kept].any()
        assert np.isfinite(each.case.x[each.kept]).all()


def test_masks_of_every_kind_occur():
    """All rows, a single row, the first row left out, and N = D."""
    assert share(MASKED, lambda m: m.kept.all()) > 0.05
    assert share(MASKED, lambda m: m.kept.sum() == 1) > 0.1
    assert share(MASKED, lambda m: not m.kept[0]) > 0.2
    square = [m for m in MASKED if m.case.x.shape[0] == m.case.x.shape[1]]
    assert share(square, lambda m: not m.kept.all()) > 0.3
    assert {m.by_element for m in MASKED} == {True, False}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.float32(1e30)])
def test_everything_that_padding_may_hold_occurs(value: float):
    """Each special number stands in a masked row of some cases."""
    found_share = share(SPECIAL, lambda m: np.isin(value, m.case.x) or np.isnan(m.case.x).any())
    assert found_share > 0.05


def test_layouts_are_undone():
    """Folding and unfolding restore the rows, and features are on the expected axis."""
    for each in FOLDED:
        x = domain_cases.fold(each.case.x, each.around, each.axis)
        assert x.shape[each.axis] == each.case.config.features
        assert np.array_equal(domain_cases.unfold(x, each.axis), each.case.x)
    assert {len(each.around) + 1 for each in FOLDED} == {2, 3, 4, 5}
    assert {each.axis for each in FOLDED} == {0, 1, -1, -2}


def test_a_layout_by_hand():
    """Rows of (2, 3) positions with two features, features in the middle."""
    rows = np.arange(12).reshape(6, 2)
    folded = domain_cases.fold(rows, (2, 3), 1)
    assert folded.shape == (2, 2, 3)
    assert folded[1, 0].tolist() == [6, 8, 10]


def test_half_inputs_are_exact():
    """x is representable in the 16-bit dtype, and for float16 far from its limits."""
    for each in HALF:
        assert np.array_equal(precision_cases.round_to(each.case.x, each.dtype), each.case.x)
        if each.dtype == "float16":
            assert np.abs(each.case.x).max() <= LARGEST_IN_FLOAT16
    assert {each.dtype for each in HALF} == {"bfloat16", "float16"}


def test_half_inputs_reach_where_16_bits_fail():
    """Squares beyond 65504, and offsets at which a mean in 16 bits loses the variance."""
    of_float16 = [each for each in HALF if each.dtype == "float16"]
    assert share(of_float16, lambda h: (np.abs(h.case.x) > 300).any()) > 0.05

    def offset(h: Any) -> bool:
        mean, std = h.case.x.astype(np.float64).mean(axis=0), h.case.x.std(axis=0)
        return bool(((np.abs(mean) > 30 * std) & (std > 0)).any())

    assert share(HALF, offset) > 0.05


def test_doubles_have_digits_that_float32_has_not():
    """Most cases need more than float32; some are exact in it, constants among them."""
    rounds = [not np.array_equal(d.x.astype(np.float32), d.x) for d in DOUBLE]
    assert 0.5 < sum(rounds) / len(rounds) < 0.9
    assert share(DOUBLE, lambda d: (np.ptp(d.x, axis=0) == 0).any()) > 0.05


def test_spread_cases_divide():
    """Shards have equal numbers of rows, and both ways of spreading occur."""
    for each in WHOLE:
        assert each.kept.all()
        assert len(each.kept) % each.shards == 0
    assert {(each.shards, each.on_devices) for each in WHOLE} == {
        (2, False), (4, False), (2, True), (4, True),
    }  # fmt: skip


def counts(spread: domain_cases.Spread) -> np.ndarray:
    """Return |K_s| for each shard."""
    return spread.kept.reshape(spread.shards, -1).sum(axis=1)


def test_counts_are_unequal_or_none():
    """Shards differ in their counts where they should, and one is empty where it should."""
    assert all(counts(each).min() >= 1 for each in UNEVEN)
    assert share(UNEVEN, lambda each: len(set(counts(each))) > 1) > 0.5
    assert all(counts(each).min() == 0 for each in EMPTY)


@pytest.mark.parametrize("values", [MASKED, SPECIAL, FOLDED, HALF, PULLED_HALF, DOUBLE, UNEVEN])
def test_cases_have_an_exact_form(values: list[Any]):
    """What is written to a report is read back bit for bit."""
    for each in values[:20]:
        again = decode(encode(each))
        assert type(again) is type(each)
        assert encode(again) == encode(each)
