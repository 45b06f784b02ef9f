"""The strategies: every example is valid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.drawn_cases import CASES, assert_plain, assert_valid, assert_valid_state, case_strategy

from conformance.strategies import shape_grid
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import (
    cases,
    ensembles,
    mixed_streams,
    rewritten_cases,
    streams,
)
from conformance.strategies.shape_grid import DEFAULT, Entry
from conformance.strategies.targeted import (
    constant_cases,
    free_configs,
    permuted_cases,
    replaced_columns,
    scaled_cases,
    shifted_cases,
    stackable_cases,
)

_FEW = settings(max_examples=40)


@pytest.mark.parametrize("name", CASES)
def test_every_case_is_valid(name: str):
    """Cases have float32 numbers of matching shapes, none of them special."""

    @_FEW
    @given(case_strategy(name))
    def test(case: Case) -> None:
        assert_valid(case)

    test()


@_FEW
@given(cases(DEFAULT).to_hypothesis())
def test_shapes_and_configurations_come_from_the_palette(case: Case):
    """No case has a shape or a configuration that the palette has not."""
    rows, features = case.x.shape
    assert Entry(rows, features, case.config.momentum, case.config.eps) in DEFAULT


@settings(max_examples=8)
@given(st.sampled_from(shape_grid.SWEEP).flatmap(lambda entry: cases((entry,)).to_hypothesis()))
def test_wide_and_long_cases_are_valid(case: Case):
    """Hundreds of rows or features are filled like any other case."""
    assert_valid(case)


@_FEW
@given(free_configs(DEFAULT).to_hypothesis())
def test_free_configurations_are_free(case: Case):
    """Any momentum in [0, 1] and any eps in [1e-16, 100] occur, and always the same shape."""
    assert_valid(case)
    assert case.x.shape == (3, 2)
    assert 1e-16 <= case.config.eps <= 100


@_FEW
@given(streams(DEFAULT).to_hypothesis())
def test_streams_have_one_shape(drawn):
    """A stream is a case and one to four more batches of its shape."""
    assert_valid(drawn.case)
    assert 1 <= len(drawn.following) <= 4
    for batch in drawn.following:
        assert_plain(batch, drawn.case.x.shape)


@_FEW
@given(mixed_streams(DEFAULT).to_hypothesis())
def test_mixed_streams_have_one_width(drawn):
    """A mixed stream is a case and one to three batches of its width, of sizes in the palette."""
    assert_valid(drawn.case)
    assert 1 <= len(drawn.following) <= 3
    for batch in drawn.following:
        assert_plain(batch, (len(batch), drawn.case.config.features))
        assert batch.shape in shape_grid.SHAPES


@_FEW
@given(rewritten_cases(DEFAULT).to_hypothesis())
def test_rewritten_states_fit(drawn):
    """The other state has the width of the case."""
    assert_valid(drawn.case)
    assert_valid_state(drawn.other, drawn.case.config.features)


@_FEW
@given(ensembles(shape_grid.COMPILED).to_hypothesis())
def test_ensembles_agree(lanes: list[Case]):
    """The lanes of an ensemble share shape and configuration, and each has a state."""
    assert len(lanes) == 3
    assert len({(case.config, case.x.shape) for case in lanes}) == 1
    assert all(case.state is not None for case in lanes)


@_FEW
@given(shifted_cases(DEFAULT).to_hypothesis())
def test_shifts_are_exact(drawn):
    """x + shift has no rounding in float32."""
    exact = drawn.case.x.astype(np.float64) + drawn.shift
    assert np.array_equal(drawn.case.x + drawn.shift, exact)


@_FEW
@given(scaled_cases(DEFAULT).to_hypothesis())
def test_factors_are_exact(drawn):
    """c·x has no rounding in float32, since c is a power of two other than one."""
    assert np.log2(drawn.factor) in {1, -1, 3, -4}
    exact = drawn.case.x.astype(np.float64) * drawn.factor
    assert np.array_equal(drawn.case.x * np.float32(drawn.factor), exact)


@_FEW
@given(permuted_cases(DEFAULT).to_hypothesis())
def test_orders_are_permutations(drawn):
    """Rows and features are put in an order that has each of them once."""
    rows, features = drawn.case.x.shape
    assert sorted(drawn.row_order) == list(range(rows))
    assert sorted(drawn.feature_order) == list(range(features))


@_FEW
@given(replaced_columns(DEFAULT).to_hypothesis())
def test_one_feature_is_replaced(drawn):
    """There is another feature, and the replacement is finite."""
    rows, features = drawn.case.x.shape
    assert features > 1
    assert 0 <= drawn.column < features
    assert drawn.replacement.shape == (rows,)
    assert np.isfinite(drawn.replacement).all()


@_FEW
@given(constant_cases(DEFAULT).to_hypothesis())
def test_constant_cases_are_constant(case: Case):
    """Every feature of a constant case is one number."""
    assert (case.x == case.x[0]).all()


@_FEW
@given(stackable_cases(DEFAULT).to_hypothesis())
def test_stacked_shapes_are_in_the_palette(case: Case):
    """A batch stacked on itself has a shape that is compiled already."""
    rows, features = case.x.shape
    assert (2 * rows, features) in shape_grid.SHAPES
