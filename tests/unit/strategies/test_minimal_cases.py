"""The minimal example of every strategy is short and plain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.drawn_cases import case_strategy, find_minimal

from conformance.strategies.bytestream import integers
from conformance.strategies.case import literals
from conformance.strategies.palette_cases import batches, cases, states, streams
from conformance.strategies.shape_grid import DEFAULT
from conformance.strategies.targeted import permutations


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
    shown = literals({"case": find_minimal(case_strategy(name))})
    assert shown.pop("x") == x
    assert set(shown) <= {"momentum", "eps", "running_var"}


def test_the_minimal_case_in_full():
    """The simplest case has nothing to say but x, momentum and eps."""
    shown = literals({"case": find_minimal(cases(DEFAULT).to_hypothesis())})
    assert shown == {"x": [[0.0], [0.0]], "momentum": 0.75, "eps": 1e-05}


def test_a_minimal_spread_is_short():
    """The simplest batch that varies has a handful of numbers, one of which is a 1 and not a 0."""
    varies = cases(DEFAULT).to_hypothesis().filter(lambda case: np.ptp(case.x, axis=0).any())
    x = find_minimal(varies).x
    assert x.size <= 6
    assert sorted(x.ravel())[-2:] == [0, 1]


@pytest.mark.parametrize(
    ("strategy", "simplest"),
    [
        (integers(3, 9).to_hypothesis(), 3),
        (permutations(3).to_hypothesis(), [2, 1, 0]),
        (batches(DEFAULT[0]).to_hypothesis().map(np.ndarray.tolist), [[0.0], [0.0]]),
        (states(2, 1e-5).to_hypothesis().map(lambda s: s.gamma.tolist()), [1.0, 1.0]),
        (streams(DEFAULT).to_hypothesis().map(lambda drawn: len(drawn.following)), 1),
    ],
    ids=["integers", "permutations", "batches", "states", "streams"],
)
def test_the_minimal_value_is_the_plainest(strategy: st.SearchStrategy[Any], simplest: Any):
    """Every other strategy starts from its plainest value, too."""
    assert find_minimal(strategy) == simplest


@given(integers(3, 9).to_hypothesis())
def test_choices_stay_in_range(value: int):
    """Choices include both of their ends and nothing beyond."""
    assert 3 <= value <= 9
