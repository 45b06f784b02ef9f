"""Saving and restoring: the cases are made to show swaps, and every way of restoring works."""

from __future__ import annotations

import chex
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from support.drawn_cases import assert_valid

from conformance.adapters.nnx_restoring import RESTORED, copy_by_pickle
from conformance.adapters.protocols import ARRAYS
from conformance.numerics import oracle
from conformance.numerics.state import State
from conformance.strategies.distinct import distinct_cases, replaced_cases
from conformance.strategies.shape_grid import TRANSFORMED
from impl.stepwise import StepwiseBatchNorm

_FEW = settings(max_examples=40)


def numbers(state: State) -> list[float]:
    return [abs(float(v)) for array in state.arrays().values() for v in array]


@_FEW
@given(distinct_cases(TRANSFORMED).to_hypothesis())
def test_distinct_cases_survive_no_swap(case):
    """No two magnitudes of the state are equal, before training and after it; none is 0 or 1."""
    assert_valid(case)
    after = oracle.train(case.config, case.state, case.x)
    moved = case.state.replace(running_mean=after.running_mean, running_var=after.running_var)
    for state in (case.state, moved):
        found = numbers(state)
        assert len(set(found)) == len(found) == 4 * case.config.features
        assert not {0.0, 1.0} & set(found)


@_FEW
@given(replaced_cases(TRANSFORMED).to_hypothesis())
def test_replaced_states_have_nothing_in_common(drawn):
    """All magnitudes of both states differ."""
    found = numbers(drawn.case.state) + numbers(drawn.other)
    assert len(set(found)) == len(found) == 8 * drawn.case.config.features


def trained_layer() -> StepwiseBatchNorm:
    layer = StepwiseBatchNorm(3, 0.75, 1e-3, nnx.Rngs(0))
    layer(np.arange(12, dtype=np.float32).reshape(4, 3), False)
    return layer


@pytest.mark.parametrize("way", RESTORED)
def test_every_way_restores(way: str):
    """Each way restores the four arrays, and leaves the original layer unchanged."""
    layer = trained_layer()
    restored = RESTORED[way](layer, StepwiseBatchNorm(3, 0.75, 1e-3, nnx.Rngs(1)))
    for name in ARRAYS:
        assert getattr(restored, name) is not getattr(layer, name)
    chex.assert_trees_all_equal_shapes_and_dtypes(nnx.state(restored), nnx.state(layer))
    chex.assert_trees_all_equal(nnx.state(restored), nnx.state(layer))


def test_local_classes_can_be_pickled():
    """A class that pickle cannot find by name is passed by reference."""

    class Local(StepwiseBatchNorm):
        pass

    copied = copy_by_pickle(Local(3, 0.5, 1e-3, nnx.Rngs(0)))
    assert type(copied) is Local
    assert copied.momentum == 0.5


def test_what_cannot_be_pickled_counts():
    """A layer that holds a function without a name is refused, as pickle refuses it."""
    layer = trained_layer()
    layer.scale = lambda value: value
    with pytest.raises((AttributeError, TypeError, ValueError, ImportError), match="lambda"):
        copy_by_pickle(layer)
