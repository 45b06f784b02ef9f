"""The public strategies: valid values, every region, short failures, clear errors."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from support.drawn_cases import assert_plain, assert_valid_state, find_minimal

from conformance import strategies
from conformance.strategies import (
    DrawnCase,
    History,
    batches,
    cases,
    epsilons,
    flag_encodings,
    histories,
    momenta,
    seeds,
    shapes,
    states,
)

SEARCHED = settings(database=None, max_examples=1000)


def simplest(strategy: st.SearchStrategy[Any], condition: Callable[[Any], Any]) -> Any:
    """Return what Hypothesis shrinks the first value that satisfies a condition to."""
    return find(strategy, condition, settings=SEARCHED, random=random.Random(0))


def test_the_public_names_are_the_documented_ones():
    """Nine strategies, and the three types that they return."""
    assert set(strategies.__all__) <= set(dir(strategies))
    assert all(getattr(strategies, name).__doc__ for name in strategies.__all__)


def test_importing_them_imports_no_framework():
    """Nor does it import NumPy or Hypothesis before the first use."""
    code = (
        "import sys, conformance.strategies as s; before = {*sys.modules}; s.cases;"
        "assert not before & {'numpy', 'hypothesis'}; assert not {*sys.modules} & {'jax', 'flax'}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(shapes(min_rows=3, max_rows=70, min_features=2, max_features=5))
def test_shapes_are_within_their_limits(shape: tuple[int, int]):
    assert 3 <= shape[0] <= 70
    assert 2 <= shape[1] <= 5


@given(momenta(min_value=0.2, max_value=0.9995), epsilons(min_value=1e-6, max_value=0.3), seeds())
def test_numbers_are_within_their_limits(momentum: float, eps: float, seed: int):
    assert 0.2 <= momentum <= 0.9995
    assert 1e-6 <= eps <= 0.3
    assert 0 <= seed < 2**32


@given(st.data(), st.booleans())
def test_an_encoding_selects_the_mode_that_it_is_drawn_for(data: st.DataObject, evaluate: bool):
    """The rule flag ≥ 0.5 holds for all of them."""
    flag = data.draw(flag_encodings(evaluate=evaluate, between=True, as_jax=True))
    assert bool(flag >= 0.5) is evaluate


@given(cases())
def test_cases_are_valid(case: DrawnCase):
    """Float32, finite, of the configuration's width, and with variances that are not negative."""
    assert_plain(case.x, (case.x.shape[0], case.config.features))
    assert_valid_state(case.state, case.config.features)


@given(histories((4, 2), min_calls=2, max_calls=5, momentum=0.9, eps=1e-3))
def test_histories_have_one_shape_and_the_given_numbers(history: History):
    assert 2 <= len(history.calls) <= 5
    assert (history.config.momentum, history.config.eps) == (0.9, 1e-3)
    assert {call.x.shape for call in history.calls} == {(4, 2)}


def test_more_features_than_bytes_are_valid_and_differ():
    """Beyond 64 features and 16 rows bytes are read again, differently."""
    x = simplest(batches((70, 130)), lambda x: np.unique(x, axis=1).shape[1] > 70)
    assert_plain(x, (70, 130))


REGIONS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], Any]]] = {
    "N = D": (shapes(), lambda s: s[0] == s[1] > 1),
    "one row": (shapes(), lambda s: s[0] == 1),
    "next to a power of two": (shapes(max_rows=2000), lambda s: s[0] in {257, 513, 1025}),
    "m = 1": (momenta(), lambda m: m == 1),
    "m = 0": (momenta(), lambda m: m == 0),
    "a tiny ε": (epsilons(), lambda eps: eps < 1e-12),
    "fresh": (cases(), lambda c: (c.state.gamma == 1).all() and c.x.any()),
    "γ = 0": (cases(), lambda c: (c.state.gamma == 0).any()),
    "negative γ": (states(3), lambda s: (s.gamma < 0).any()),
    "running variance 0": (states(3), lambda s: (s.running_var == 0).any()),
    "offset": (batches(), lambda x: (abs(x.mean(axis=0)) > 300 * x.std(axis=0) + 1).any()),
    "v ≈ ε": (batches((8, 2), eps=0.1), lambda x: (abs(x.var(axis=0) / 0.1 - 1) < 0.9).any()),
    "repeated": (
        histories(),
        lambda h: any(a.x is b.x for a, b in zip(h.calls, h.calls[1:], strict=False)),
    ),
}


@pytest.mark.parametrize("name", REGIONS)
def test_regions_in_which_mistakes_show_are_reached(name: str):
    """Within a hundred examples, the number of Hypothesis's default profile."""
    strategy, condition = REGIONS[name]
    hundred = settings(database=None, max_examples=100, phases=["generate"])
    find(strategy, condition, settings=hundred, random=random.Random(3))


@pytest.mark.parametrize(
    ("strategy", "shown"),
    [
        (shapes(), "(1, 1)"),
        (seeds(min_value=5), "5"),
        (momenta(), "0.75"),
        (epsilons(), "1e-05"),
        (flag_encodings(), "0.0"),
        (batches((2, 1)).map(np.ndarray.tolist), "[[0.0], [0.0]]"),
        (
            states(1).map(lambda s: [a.tolist() for a in s.arrays().values()]),
            "[[1.0], [0.0], [0.0], [1.0]]",
        ),
        (histories().map(lambda h: [c.x.tolist() for c in h.calls]), "[[[0.0]]]"),
    ],
)
def test_the_simplest_value(strategy: st.SearchStrategy[Any], shown: str):
    assert str(find_minimal(strategy)) == shown


def test_failures_shrink_to_a_few_numbers():
    """An unbiased variance, a tail of a tile that is left out, and an update that is skipped."""
    unbiased = simplest(cases(), lambda c: len(c.x) > 1 and c.x.var(axis=0, ddof=1).max() > 0.1)
    assert (unbiased.x.tolist(), unbiased.config.momentum) == ([[1.0], [0.0]], 0.75)
    tail = simplest(cases(), lambda c: c.x[16:].any())
    assert tail.x.shape == (17, 1)
    assert np.count_nonzero(tail.x) <= 2
    moved = simplest(histories(), lambda h: sum(call.x.any() for call in h.calls) >= 2)
    assert len(moved.calls) == 2
    assert {call.x.size for call in moved.calls} == {1}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shapes(min_rows=0), "min_rows=0: expected an integer of at least 1"),
        (lambda: shapes(min_rows=5, max_rows=4), "max_rows=4: expected an integer of at least 5"),
        (lambda: seeds(max_value=1.5), "max_value=1.5: expected an integer of at least 0"),
        (lambda: momenta(max_value=1.1), "max_value=1.1: expected a number from 0 to 1"),
        (lambda: momenta(min_value=float("nan")), "min_value=nan: expected a number from 0 to 1"),
        (lambda: epsilons(min_value=0), "min_value=0: expected a number from 1.175e-38 to 1.701e"),
        (lambda: batches((3,)), r"shape=\(3,\): expected \(N, D\)"),
        (lambda: batches(eps=-1.0), "eps=-1.0: expected a number"),
        (lambda: states(True), "features=True: expected an integer of at least 1"),
        (lambda: cases(momentum=2), "momentum=2: expected a number from 0 to 1"),
        (lambda: histories(max_calls=0), "max_calls=0: expected an integer of at least 1"),
    ],
)
def test_a_wrong_argument_is_named(call: Callable[[], Any], message: str):
    with pytest.raises(InvalidArgument, match=message):
        call()
