"""The strategies: every example is valid, the interesting ones occur, the minimal one is short."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from numpy_norm import NumpyNorm, Unbiased, subject

from conformance.case import Case, State, literals
from conformance.judging import Trial
from conformance.profiles import budget
from conformance.properties import PROPERTIES, Property
from conformance.requirements import REQUIREMENTS
from conformance.strategies import palette
from conformance.strategies.cases import (
    batches,
    cases,
    ensembles,
    mixed_streams,
    rewritten_cases,
    states,
    streams,
)
from conformance.strategies.columns import _FAMILY_OF_BYTE, FAMILIES
from conformance.strategies.containers import CONTAINERS
from conformance.strategies.designed import (
    cases_at_momentum,
    cases_near_eps,
    cases_with,
    constant_cases,
    extreme_cases,
    free_configs,
    offset_cases,
    orders,
    permuted_cases,
    poisoned_cases,
    scale_cases,
    scaled_cases,
    shifted_cases,
    stackable,
)
from conformance.strategies.palette import DEFAULT, Entry
from conformance.strategies.source import SIZE, Source, choices

_SMALLEST_NORMAL = 2.0**-126
_FEW = settings(max_examples=40)

CASES = {
    "cases": cases,
    "compiled": lambda _: cases(palette.COMPILED),
    "constant_cases": constant_cases,
    "cases_near_eps": cases_near_eps,
    "offset_cases": offset_cases,
    "scale_cases": scale_cases,
    "extreme_cases": extreme_cases,
    "stackable": stackable,
    "single rows": lambda entries: cases_with(entries, rows=1),
    "momentum 1": lambda entries: cases_at_momentum(entries, 1.0),
    "shifted_cases": shifted_cases,
    "scaled_cases": scaled_cases,
    "permuted_cases": permuted_cases,
    "poisoned_cases": poisoned_cases,
}


def case_strategy(name: str) -> st.SearchStrategy[Case]:
    """Return the strategy for cases of a name, apart from what is drawn with them."""
    drawn = CASES[name](DEFAULT).strategy()
    return drawn.map(lambda value: value if isinstance(value, Case) else value.case)


def assert_plain(array: np.ndarray, shape: tuple[int, ...]) -> None:
    """Assert float32 of a shape, finite, without negative zeros and subnormal numbers."""
    assert array.dtype == np.float32
    assert array.shape == shape
    assert np.isfinite(array).all()
    assert not np.signbit(array[array == 0]).any()
    assert not ((array != 0) & (np.abs(array) < _SMALLEST_NORMAL)).any()


def assert_valid_state(state: State, features: int) -> None:
    """Assert four plain arrays of shape (D,), with a variance that is not negative."""
    for array in state.arrays().values():
        assert_plain(array, (features,))
    assert (state.running_var >= 0).all()


def assert_valid(case: Case) -> None:
    """Assert that a case is one that any layer must be able to handle."""
    assert_plain(case.x, (case.x.shape[0], case.config.features))
    assert 0 <= case.config.momentum <= 1
    assert case.config.eps >= 1e-16
    if case.state is not None:
        assert_valid_state(case.state, case.config.features)


def minimal(strategy: st.SearchStrategy[Any]) -> Any:
    """Return the simplest value of a strategy."""
    return find(strategy, lambda _: True, settings=settings(database=None))


# Every example is valid


@pytest.mark.parametrize("name", CASES)
def test_every_case_is_valid(name: str):
    """Cases have float32 numbers of matching shapes, none of them special."""

    @_FEW
    @given(case_strategy(name))
    def test(case: Case) -> None:
        assert_valid(case)

    test()


@_FEW
@given(cases(DEFAULT).strategy())
def test_shapes_and_configurations_come_from_the_palette(case: Case):
    """No case has a shape or a configuration that the palette has not."""
    rows, features = case.x.shape
    assert Entry(rows, features, case.config.momentum, case.config.eps) in DEFAULT


@settings(max_examples=8)
@given(st.sampled_from(palette.SWEEP).flatmap(lambda entry: cases((entry,)).strategy()))
def test_wide_and_long_cases_are_valid(case: Case):
    """Hundreds of rows or features are filled like any other case."""
    assert_valid(case)


@_FEW
@given(free_configs(DEFAULT).strategy())
def test_free_configurations_are_free(case: Case):
    """Any momentum in [0, 1] and any eps in [1e-16, 100] occur, and always the same shape."""
    assert_valid(case)
    assert case.x.shape == (3, 2)
    assert 1e-16 <= case.config.eps <= 100


@_FEW
@given(streams(DEFAULT).strategy())
def test_streams_have_one_shape(drawn):
    """A stream is a case and one to four more batches of its shape."""
    assert_valid(drawn.case)
    assert 1 <= len(drawn.following) <= 4
    for batch in drawn.following:
        assert_plain(batch, drawn.case.x.shape)


@_FEW
@given(mixed_streams(DEFAULT).strategy())
def test_mixed_streams_have_one_width(drawn):
    """A mixed stream is a case and one to three batches of its width, of sizes in the palette."""
    assert_valid(drawn.case)
    assert 1 <= len(drawn.following) <= 3
    for batch in drawn.following:
        assert_plain(batch, (len(batch), drawn.case.config.features))
        assert batch.shape in palette.SHAPES


@_FEW
@given(rewritten_cases(DEFAULT).strategy())
def test_rewritten_states_fit(drawn):
    """The other state has the width of the case."""
    assert_valid(drawn.case)
    assert_valid_state(drawn.other, drawn.case.config.features)


@_FEW
@given(ensembles(palette.COMPILED).strategy())
def test_ensembles_agree(lanes: list[Case]):
    """The lanes of an ensemble share shape and configuration, and each has a state."""
    assert len(lanes) == 3
    assert len({(case.config, case.x.shape) for case in lanes}) == 1
    assert all(case.state is not None for case in lanes)


@_FEW
@given(shifted_cases(DEFAULT).strategy())
def test_shifts_are_exact(drawn):
    """x + shift has no rounding in float32."""
    exact = drawn.case.x.astype(np.float64) + drawn.shift
    assert np.array_equal(drawn.case.x + drawn.shift, exact)


@_FEW
@given(scaled_cases(DEFAULT).strategy())
def test_factors_are_exact(drawn):
    """c·x has no rounding in float32, since c is a power of two other than one."""
    assert np.log2(drawn.factor) in {1, -1, 3, -4}
    exact = drawn.case.x.astype(np.float64) * drawn.factor
    assert np.array_equal(drawn.case.x * np.float32(drawn.factor), exact)


@_FEW
@given(permuted_cases(DEFAULT).strategy())
def test_orders_are_permutations(drawn):
    """Rows and features are put in an order that has each of them once."""
    rows, features = drawn.case.x.shape
    assert sorted(drawn.row_order) == list(range(rows))
    assert sorted(drawn.feature_order) == list(range(features))


@_FEW
@given(poisoned_cases(DEFAULT).strategy())
def test_poison_is_in_one_feature(drawn):
    """There is another feature, and the replacement has at most one number that is not finite."""
    rows, features = drawn.case.x.shape
    assert features > 1
    assert 0 <= drawn.column < features
    assert drawn.replacement.shape == (rows,)
    assert (~np.isfinite(drawn.replacement)).sum() <= 1


@_FEW
@given(constant_cases(DEFAULT).strategy())
def test_constant_cases_are_constant(case: Case):
    """Every feature of a constant case is one number."""
    assert (case.x == case.x[0]).all()


@_FEW
@given(stackable(DEFAULT).strategy())
def test_stacked_shapes_are_in_the_palette(case: Case):
    """A batch stacked on itself has a shape that is compiled already."""
    rows, features = case.x.shape
    assert (2 * rows, features) in palette.SHAPES


# The interesting ones are found

_JUDGED = ("BN-TRAIN-1", "BN-EMA-1", "BN-EMA-2", "BN-EVAL-1")


def drawn_by(
    identity: str, decoders: dict[str, Any] | None = None, *, seed: int = 0, **rest: Any
) -> list[dict[str, Any]]:
    """Return what judging a requirement draws: its own stream, in the default budget."""
    seen: list[dict[str, Any]] = []

    def claim(_: object, **drawn: Any) -> None:
        seen.append(drawn)

    share = PROPERTIES[identity].share
    prop = Property(REQUIREMENTS[identity], claim, decoders or {"case": cases}, share, ())
    Trial(prop, rest.pop("subject", subject()), budget(seed=seed, **rest))()
    return seen


class Column(NamedTuple):
    """One feature of a drawn case: its index, and its numbers in float64."""

    case: Case
    index: int
    x: np.ndarray

    @property
    def kappa(self) -> float:
        """The offset in standard deviations, 0 for constants."""
        return kappa(self.x)

    def held(self, name: str) -> float:
        """The feature's entry in an array of the state; NaN, which is in no region, if fresh."""
        state = self.case.state
        return np.nan if state is None else float(getattr(state, name)[self.index])


@cache
def default_columns(identity: str) -> tuple[Column, ...]:
    """Return every feature of the 100 cases of the default budget."""
    drawn = [values["case"] for values in drawn_by(identity)]
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
    "gamma negative": lambda c: c.held("gamma") < 0,
    "gamma 0": lambda c: c.held("gamma") == 0,
    "gamma other than ±1": lambda c: c.held("gamma") not in {0, 1, -1} and c.case.state is not None,
    "beta other than 0": lambda c: abs(c.held("beta")) > 0,
    "running_var 0": lambda c: c.held("running_var") == 0,
    "running_var near eps": lambda c: 1e-2 <= c.held("running_var") / c.case.config.eps <= 1e2,
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
    fresh = [drawn["case"].state is None for drawn in drawn_by(identity)]
    assert 1 / 30 < sum(fresh) / len(fresh) < 1 / 4


def test_streams_repeat_batches():
    """Within the share of BN-EMA-3, batches repeat the one before, and others do not."""
    repeats = [
        np.array_equal(one, two)
        for drawn in drawn_by("BN-EMA-3", {"drawn": streams})
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
        for drawn in drawn_by("BN-NUM-1", {"case": offset_cases})
        for column in drawn["case"].x.astype(np.float64).T
    ]
    assert min(found) < -1e3
    assert max(found) > 3e3


def test_cases_near_eps_are_near():
    """Most inputs of BN-EPS-1 have a stored variance near ε, and some are far below it."""
    ratios = np.concatenate(
        [
            drawn["case"].state.running_var / drawn["case"].config.eps
            for drawn in drawn_by("BN-EPS-1", {"case": cases_near_eps})
        ]
    )
    assert ((ratios > 0.05) & (ratios < 20)).mean() > 0.5
    assert (ratios == 0).any()


def test_poison_is_of_every_kind():
    """NaN, both infinities and a mere other feature all take the place of a feature."""
    found = {
        next((str(value) for value in drawn["drawn"].replacement if not np.isfinite(value)), "")
        for drawn in drawn_by("BN-TRAIN-3", {"drawn": poisoned_cases})
    }
    assert found == {"", "nan", "inf", "-inf"}


def test_free_configurations_reach_the_ends():
    """Momentum 0, 1 and close to both, and eps from far below 1e-5 to above 10, are tried."""
    configs = [drawn["case"].config for drawn in drawn_by("BN-INIT-8", {"case": free_configs})]
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
        for drawn in drawn_by("BN-IND-2", {"drawn": mixed_streams})
        for batch in drawn["drawn"].following
    ]
    assert min(differences) < 0 < max(differences)


def test_extreme_cases_show_any_clipping():
    """Some value is more than thirty standard deviations from the mean of its feature."""
    reached = max(
        np.abs(column - column.mean()).max() / column.std()
        for drawn in drawn_by("BN-NUM-3", {"case": extreme_cases})
        for column in drawn["case"].x.astype(np.float64).T
        if column.std() > 0
    )
    assert reached > 30


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_hold_the_batch(container):
    """Whatever the layout, the numbers are the same."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(np.asarray(container(x)), x)


def test_containers_differ_in_layout():
    """C and Fortran order, gaps, negative strides, and memory that cannot be written to."""
    held = [container(np.ones((2, 3), np.float32)) for container in CONTAINERS]
    arrays = [array for array in held if isinstance(array, np.ndarray)]
    assert len(arrays) < len(held)
    assert len({array.strides for array in arrays}) >= 4
    assert any(not array.flags.writeable for array in arrays)


def test_every_family_of_columns_has_its_share():
    """Each of the 256 first bytes of a column stands for a family, and no family is missing."""
    assert len(_FAMILY_OF_BYTE) == 256
    assert set(_FAMILY_OF_BYTE) == set(range(len(FAMILIES)))


# The palettes


@pytest.mark.parametrize("block", [8, 16, 32, 64, 128, 256, 512, 1024])
def test_block_boundaries_are_swept(block: int):
    """A block, one row less and one row more are all in the sweep."""
    assert {block - 1, block, block + 1} <= {entry.rows for entry in palette.SWEEP}


def test_widths_are_swept():
    """The sweep has widths around every usual number of lanes, and square batches."""
    widths = {entry.features for entry in palette.SWEEP}
    assert {7, 9, 31, 33, 127, 129, 255, 257} <= widths
    assert any(entry.rows == entry.features > 1 for entry in palette.SWEEP)


def test_sizes_of_both_axes_are_swept_together():
    """There are entries with more than 32 and with more than 64 of both, and multiples of 12."""
    assert any(entry.rows > 32 and entry.features > 32 for entry in palette.SWEEP)
    assert any(entry.rows > 64 and entry.features > 64 for entry in palette.SWEEP)
    assert any(entry.rows % 12 == 0 for entry in palette.SWEEP)
    assert any(entry.features % 12 == 0 for entry in palette.SWEEP)


def test_large_sizes_are_also_run_eagerly():
    """Rows and features beyond 256 occur where nothing is compiled as a whole, too."""
    assert max(entry.rows for entry in palette.EAGER) > 1024
    assert max(entry.features for entry in palette.EAGER) > 256


def test_the_smallest_entry_comes_first():
    """Shrinking ends at two rows of one feature."""
    assert (DEFAULT[0].rows, DEFAULT[0].features) == (2, 1)
    assert set(palette.SHAPES) == {(entry.rows, entry.features) for entry in DEFAULT}


def test_fresh_palettes_replay_from_their_seed():
    """The same seed gives the same palette, another seed other shapes."""
    assert palette.fresh(7) == palette.fresh(7)
    assert len({palette.fresh(seed) for seed in range(20)}) == 20


@pytest.mark.parametrize("seed", range(20))
def test_fresh_palettes_serve_every_strategy(seed: int):
    """A fresh palette keeps the corners: one row, one feature, doubles, and few rows."""
    entries = palette.fresh(seed)
    assert {(1, 1), (2, 1), (1, 2)} <= {(entry.rows, entry.features) for entry in entries}
    assert all(0 <= entry.momentum <= 1 and 1e-7 <= entry.eps <= 1 for entry in entries)
    shapes = {(entry.rows, entry.features) for entry in entries}
    assert any((2 * entry.rows, entry.features) in shapes for entry in entries)
    assert any(1 < entry.rows < 20 for entry in entries)


# The minimal one is readable


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("cases", [[0.0], [0.0]]),
        ("constant_cases", [[0.0], [0.0]]),
        ("cases_near_eps", [[0.0], [0.0]]),
        ("offset_cases", [[0.0], [0.0]]),
        ("extreme_cases", [[10000.0], [0.0]]),
        ("single rows", [[0.0]]),
    ],
)
def test_the_minimal_case_is_short(name: str, x: list[list[float]]):
    """The simplest case has two rows of one feature, all zeros, and a plain state."""
    shown = literals({"case": minimal(case_strategy(name))})
    assert shown.pop("x") == x
    assert set(shown) <= {"momentum", "eps", "running_var"}


def test_the_minimal_case_in_full():
    """The simplest case has nothing to say but x, momentum and eps."""
    shown = literals({"case": minimal(cases(DEFAULT).strategy())})
    assert shown == {"x": [[0.0], [0.0]], "momentum": 0.75, "eps": 1e-05}


def test_a_minimal_spread_is_short():
    """The simplest batch that varies has a handful of numbers, one of which is a 1 and not a 0."""
    varies = cases(DEFAULT).strategy().filter(lambda case: np.ptp(case.x, axis=0).any())
    x = minimal(varies).x
    assert x.size <= 6
    assert sorted(x.ravel())[-2:] == [0, 1]


@pytest.mark.parametrize(
    ("strategy", "simplest"),
    [
        (choices(3, 9).strategy(), 3),
        (orders(3).strategy(), [2, 1, 0]),
        (batches(DEFAULT[0]).strategy().map(np.ndarray.tolist), [[0.0], [0.0]]),
        (states(2, 1e-5).strategy().map(lambda s: s.gamma.tolist()), [1.0, 1.0]),
        (streams(DEFAULT).strategy().map(lambda drawn: len(drawn.following)), 1),
    ],
    ids=["choices", "orders", "batches", "states", "streams"],
)
def test_the_minimal_value_is_the_plainest(strategy: st.SearchStrategy[Any], simplest: Any):
    """Every other strategy starts from its plainest value, too."""
    assert minimal(strategy) == simplest


@given(choices(3, 9).strategy())
def test_choices_stay_in_range(value: int):
    """Choices include both of their ends and nothing beyond."""
    assert 3 <= value <= 9


# The same seed gives the same cases


def literal_run(identity: str, **rest: Any) -> list[dict[str, Any]]:
    return [literals(drawn) for drawn in drawn_by(identity, **rest)]


@pytest.mark.parametrize("identity", ["BN-EMA-1", "BN-EMA-3", "BN-NUM-3"])
def test_the_same_seed_gives_the_same_cases(identity: str):
    """Two runs draw the same literals in the same order, case by case."""
    decoders = dict(PROPERTIES[identity].decoders)
    one = literal_run(identity, decoders=decoders, max_examples=30)
    two = literal_run(identity, decoders=decoders, max_examples=30)
    assert list(map(repr, one)) == list(map(repr, two))  # NaN is equal to itself in a repr
    assert len(one) == round(30 * PROPERTIES[identity].share)


def test_every_implementation_sees_the_same_cases():
    """What is drawn does not depend on what is judged."""
    one = literal_run("BN-EMA-1", subject=subject(NumpyNorm), max_examples=20)
    two = literal_run("BN-EMA-1", subject=subject(Unbiased), max_examples=20)
    assert one == two


def test_seeds_and_requirements_have_streams_of_their_own():
    """Another seed, and another requirement, draw other cases."""
    one = literal_run("BN-EMA-1", max_examples=20)
    assert literal_run("BN-EMA-1", seed=1, max_examples=20) != one
    assert literal_run("BN-EMA-2", max_examples=20) != one


def test_a_larger_budget_draws_more():
    """The number of cases is the budget times the share of the property."""
    assert len(drawn_by("BN-EMA-2", max_examples=7)) == 7
    assert len(drawn_by("BN-EMA-2")) == 100


# The bytes of a case


def test_a_source_reads_every_byte_once():
    """Within one round the bytes come as they are, whatever the size of each piece."""
    raw = bytes(range(SIZE))
    source = Source(raw)
    assert b"".join(source.take(count) for count in (1, 5, 24, 226)) == raw


def test_further_rounds_differ():
    """A case that needs more bytes than there are reads other ones in each round."""
    source = Source(bytes(range(SIZE)))
    rounds = [source.take(SIZE) for _ in range(4)]
    assert len(set(rounds)) == 4
    assert Source(bytes(SIZE)).take(2 * SIZE)[:SIZE] == bytes(SIZE)


def test_all_cases_of_a_run_differ():
    """A hundred cases of the default budget are at least ninety different ones."""
    assert len({repr(one) for one in literal_run("BN-EMA-2")}) >= 90
