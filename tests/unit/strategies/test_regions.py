"""What hides a mistake occurs among the cases of the default budget."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from support.drawn_cases import draw_for

from conformance.properties import PROPERTIES
from conformance.properties.support.poisoning import with_element
from conformance.strategies.bytestream import draw_from_bytes, expand_seed
from conformance.strategies.case import Case
from conformance.strategies.columns import _FAMILY_OF_BYTE, _FAMILY_OF_BYTE_IF_TALL, FAMILIES
from conformance.strategies.mined import mined_values
from conformance.strategies.palette_cases import mixed_streams, streams
from conformance.strategies.targeted import (
    cases_near_eps,
    extreme_cases,
    free_configs,
    mined_cases,
    offset_cases,
)

_JUDGED = ("BN-TRAIN-1", "BN-EMA-1", "BN-EMA-2", "BN-EVAL-1")


class Column(NamedTuple):
    """One feature of a drawn case: its index, and its numbers in float64."""

    case: Case
    index: int
    x: np.ndarray

    @property
    def kappa(self) -> float:
        """The offset in standard deviations, 0 for constants."""
        return kappa(self.x)

    def state_entry(self, name: str) -> float:
        """The feature's entry in an array of the state; NaN, which is in no region, if fresh."""
        state = self.case.state
        return np.nan if state is None else float(getattr(state, name)[self.index])


@cache
def default_columns(identity: str) -> tuple[Column, ...]:
    """Return every feature of the 100 cases of the default budget."""
    drawn = [values["case"] for values in draw_for(identity)]
    return tuple(
        Column(case, j, column)
        for case in drawn
        for j, column in enumerate(case.x.astype(np.float64).T)
    )


def kappa(x: np.ndarray) -> float:
    return x.mean() / x.std() if x.std() > 0 else 0.0


REGIONS: dict[str, Callable[[Column], bool]] = {
    "N = 1": lambda c: len(c.x) == 1,
    "D = 1": lambda c: c.case.config.features == 1,
    "N = D > 1": lambda c: c.case.config.features == len(c.x) > 1,
    "momentum 0": lambda c: c.case.config.momentum == 0,
    "momentum 1": lambda c: c.case.config.momentum == 1,
    "momentum between": lambda c: 0 < c.case.config.momentum < 1,
    "eps at most 1e-6": lambda c: c.case.config.eps <= 1e-6,
    "eps 1": lambda c: c.case.config.eps == 1,
    "variance near eps": lambda c: 1e-2 <= c.x.var() / c.case.config.eps <= 1e2,
    "offset far above": lambda c: c.kappa >= 1e3,
    "offset far below": lambda c: c.kappa <= -1e3,
    "zeros": lambda c: len(c.x) > 1 and not c.x.any(),
    "constant with an offset": lambda c: len(c.x) > 1 and c.x[0] != 0 and np.ptp(c.x) == 0,
    "integers": lambda c: np.ptp(c.x) > 0 and (c.x == np.round(c.x)).all(),
    "two values": lambda c: len(c.x) > 3 and len(set(c.x)) == 2,
    "outlier": lambda c: len(c.x) > 26 and np.abs(c.x - c.x.mean()).max() > 5 * c.x.std() > 0,
    "sorted": lambda c: len(set(c.x)) > 3 and (np.diff(c.x) >= 0).all(),
    "duplicated": lambda c: len(set(c.x)) > 2 and (c.x[: len(c.x) // 2 * 2 : 2] == c.x[1::2]).all(),
    "gamma negative": lambda c: c.state_entry("gamma") < 0,
    "gamma 0": lambda c: c.state_entry("gamma") == 0,
    "gamma other than ±1": lambda c: (
        c.state_entry("gamma") not in {0, 1, -1} and c.case.state is not None
    ),
    "beta other than 0": lambda c: abs(c.state_entry("beta")) > 0,
    "running_var 0": lambda c: c.state_entry("running_var") == 0,
    "running_var near eps": lambda c: (
        1e-2 <= c.state_entry("running_var") / c.case.config.eps <= 1e2
    ),
    "fresh layer": lambda c: c.case.state is None,
    "NumPy input": lambda c: not c.case.as_jax,
    "JAX input": lambda c: c.case.as_jax,
}


@pytest.mark.parametrize("identity", _JUDGED)
@pytest.mark.parametrize("region", REGIONS)
def test_regions_are_reached_by_default(region: str, identity: str):
    """A hundred cases of the default stream contain every region that hides a mistake."""
    assert any(map(REGIONS[region], default_columns(identity)))


@pytest.mark.parametrize("identity", _JUDGED)
def test_most_cases_have_a_state(identity: str):
    """Between one case in thirty and one in four uses the layer as constructed."""
    fresh = [drawn["case"].state is None for drawn in draw_for(identity)]
    assert 1 / 30 < sum(fresh) / len(fresh) < 1 / 4


def test_streams_repeat_batches():
    """Within the share of BN-EMA-3, batches repeat the one before, and others do not."""
    repeats = [
        np.array_equal(one, two)
        for drawn in draw_for("BN-EMA-3", {"drawn": streams})
        if drawn["drawn"].case.x.any()
        for one, two in zip(
            (drawn["drawn"].case.x, *drawn["drawn"].following),
            drawn["drawn"].following,
            strict=False,
        )
    ]
    assert 0.1 < sum(repeats) / len(repeats) < 0.6


def test_offset_cases_show_the_one_pass_variance():
    """The inputs of BN-NUM-1 reach ten thousand standard deviations on both sides."""
    found = [
        kappa(column)
        for drawn in draw_for("BN-NUM-1", {"case": offset_cases})
        for column in drawn["case"].x.astype(np.float64).T
    ]
    assert min(found) < -1e3
    assert max(found) > 3e3


def test_cases_near_eps_are_near():
    """Most inputs of BN-EPS-1 have a stored variance near ε, and some are far below it."""
    ratios = np.concatenate(
        [
            drawn["case"].state.running_var / drawn["case"].config.eps
            for drawn in draw_for("BN-EPS-1", {"case": cases_near_eps})
        ]
    )
    assert ((ratios > 0.05) & (ratios < 20)).mean() > 0.5
    assert (ratios == 0).any()


def test_poison_is_of_every_kind():
    """NaN and both infinities take the place of an element, in every row and column."""
    drawn = draw_for("BN-NUM-4", PROPERTIES["BN-NUM-4"].strategies)
    placed = [with_element(each["case"], each["place"], each["poison"]) for each in drawn]
    assert {str(value) for *_, value in placed} == {"nan", "inf", "-inf"}
    assert {row for _, row, *_ in placed} >= set(range(5))
    assert {column for _, _, column, _ in placed} >= set(range(4))
    for case, row, column, value in placed:
        assert np.array_equal(case.x[row, column], np.float32(value), equal_nan=True)
        assert (~np.isfinite(case.x)).sum() == 1


def test_free_configurations_reach_the_ends():
    """Momentum 0, 1 and close to both, and eps from far below 1e-5 to above 10, are tried."""
    configs = [drawn["case"].config for drawn in draw_for("BN-INIT-8", {"case": free_configs})]
    momenta = {config.momentum for config in configs}
    assert {0.0, 1.0} <= momenta
    assert any(0.999 < momentum < 1 for momentum in momenta)
    assert any(0 < momentum < 0.01 for momentum in momenta)
    eps = np.array([config.eps for config in configs])
    assert (eps < 1e-10).any()
    assert ((eps > 1e-10) & (eps < 1e-6)).any()
    assert (eps > 10).any()


def test_mixed_streams_change_size():
    """Among the batches before a case of BN-IND-2 are larger and smaller ones."""
    differences = [
        len(batch) - len(drawn["drawn"].case.x)
        for drawn in draw_for("BN-IND-2", {"drawn": mixed_streams})
        for batch in drawn["drawn"].following
    ]
    assert min(differences) < 0 < max(differences)


def test_extreme_cases_show_any_clipping():
    """Some value is more than thirty standard deviations from the mean of its feature."""
    reached = max(
        np.abs(column - column.mean()).max() / column.std()
        for drawn in draw_for("BN-NUM-3", {"case": extreme_cases})
        for column in drawn["case"].x.astype(np.float64).T
        if column.std() > 0
    )
    assert reached > 30


def test_every_family_of_columns_has_its_share():
    """Each of the 256 first bytes of a column stands for a family, and no family is missing."""
    assert len(_FAMILY_OF_BYTE) == len(_FAMILY_OF_BYTE_IF_TALL) == 256
    assert set(_FAMILY_OF_BYTE) == set(_FAMILY_OF_BYTE_IF_TALL) == set(range(len(FAMILIES)))


@pytest.mark.parametrize("value", [37.25, 0.002, 5000, 1e12])
def test_cases_about_a_number_surround_it(value: float):
    """It is an element, a mean, a deviation, a variance and part of each array, and ±1."""
    (entry,) = mined_values((value,))[0]
    drawn = [draw_from_bytes(expand_seed(b"s", n), {"case": mined_cases(entry)}) for n in range(20)]
    cases = [each["case"] for each in drawn]
    assert all(np.isfinite(case.x).all() for case in cases)
    mixed = [case for case in cases if np.float32(value) in case.x and np.float32(-value) in case.x]
    assert mixed
    assert any(np.abs(case.x).max() < value for case in cases)
    assert any(case.x.min() > value for case in cases)
    for case in mixed:
        assert np.float32(value + 1) in case.x
        assert np.isclose(case.x.std(axis=0), value, rtol=1e-5).any()
        assert np.isclose(case.x.var(axis=0), value, rtol=1e-5).any()
        for array in case.state.arrays().values():
            assert {np.float32(value), np.float32(value + 1)} <= set(array)
