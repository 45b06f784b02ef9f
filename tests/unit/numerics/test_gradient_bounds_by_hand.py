"""The bounds for gradients: by hand, their order, and how seldom they say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from support.gradient_algorithms import (
    COLUMNS,
    EPS,
    ROWS,
    F,
    cotangents,
    far_from_zero,
    generated,
    inputs,
)

from conformance.adapters.protocols import Config
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound, U
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation
from conformance.strategies.bytestream import SIZE, ByteReader
from conformance.strategies.cotangents import GRADIENT, pulled_cases

ONE_PASS = Conventions(frozenset({Deviation.ONE_PASS_VARIANCE}))


def test_evaluation_by_hand():
    """γ = 2, rv + ε = 4, w = 3: dx = 3, with 4u for the root and 3u for products."""
    state = State.fresh(1).replace(gamma=np.array([2], F), running_var=np.array([3], F))
    found = bounds.evaluation_gradient(Config(features=1, eps=1.0), state, [[5.0]], [[3.0]])
    assert found.x.allowed == pytest.approx(np.array([[1.05 * 3 * 7 * U]]))
    assert found.beta.allowed == pytest.approx([1.05 * 2 * U * 3])
    # z = 5/2, h = 0: mean|wz| = 7.5, fused mean|wx|·r = 7.5, so 6u·7.5 + 4u·15
    assert found.gamma.allowed == pytest.approx([1.05 * (6 * 7.5 + 4 * 15) * U], rel=1e-5)


def test_the_sum_by_hand():
    """For w = 1, −3: h = 1, so e_dβ = 3u·4."""
    found = bounds.evaluation_gradient(Config(features=1), State.fresh(1), [[0], [0]], [[1], [-3]])
    assert found.beta.allowed == pytest.approx([1.05 * 12 * U])


def test_a_sum_of_gradients_by_hand():
    """Two bounds, and one rounding of the sum, of size |3| + |−1|."""
    parts = [np.array([3.0]), np.array([-1.0])]
    limits = [Bound.of(np.array([1e-3])), Bound.of(np.array([2e-3]))]

    found = bounds.total(parts, limits).allowed
    assert found == pytest.approx([1.05 * (1e-3 + 2e-3 + 4 * U)], rel=1e-9)
    alone = bounds.total(parts[:1], limits[:1]).allowed
    assert alone == pytest.approx([1.05 * 1e-3], rel=1e-9)


def test_a_step_by_hand():
    """From 4 by 0.5·(2 + 0.25·4): half the bound of the gradient, and 5u·(4·1.125 + 1)."""
    bound = Bound(np.array([1e-3]), np.array([1e-4]))
    found = bounds.step([4.0], np.array([2.0]), bound, rate=0.5, decay=0.25)
    assert found.strict == pytest.approx([5e-5 + 1.05 * 5 * U * 5.5])
    assert found.allowed == pytest.approx([5e-4 + 1.05 * 5 * U * 5.5])


@pytest.mark.parametrize("conventions", [STRICT, ONE_PASS], ids=["strict", "one pass"])
@pytest.mark.parametrize("rows", ROWS)
def test_strict_bounds_are_never_wider(rows: int, conventions: Conventions):
    """Every bound is finite and positive, and the strict one is at most the allowed one."""
    state, config = generated(2)[1], Config(features=COLUMNS, eps=EPS)
    for x in inputs(rows):
        found = bounds.training_gradient(config, state, x, cotangents(rows)[0], conventions)
        for bound in (found.gamma, found.beta, found.x):
            assert np.isfinite(bound.allowed).all()
            assert (bound.strict > 0).all()
            assert (bound.strict <= bound.allowed).all()
            if conventions is STRICT:
                assert np.array_equal(bound.strict, bound.allowed)


def test_a_gain_of_zero_leaves_no_room():
    """Where γ = 0 nothing but a flushed result is allowed for dx."""
    state = State.fresh(COLUMNS).replace(gamma=np.zeros(COLUMNS, F))
    config = Config(features=COLUMNS, eps=EPS)
    x, w = far_from_zero(7), cotangents(7)[0]
    assert bounds.training_gradient(config, state, x, w, STRICT).x.allowed.max() < 1e-30


def test_few_generated_comparisons_are_vacuous():
    """In the cases that are judged, at most one dx in twenty has a bound above its column."""
    wide = total = 0
    strategy = pulled_cases(GRADIENT)
    rng = np.random.default_rng(0)
    for _ in range(300):
        case, w, _ = strategy.draw_from(ByteReader(rng.bytes(SIZE)))
        state = case.state or State.fresh(case.config.features)
        size = np.abs(state.gamma * w).max(axis=0)
        size = size / np.sqrt(oracle.statistics(case.x)[1] + case.config.eps)
        bound = bounds.training_gradient(case.config, state, case.x, w, STRICT).x
        seen = np.broadcast_to(size > 0, w.shape)
        wide += int((bound.allowed > size)[seen].sum())
        total += int(seen.sum())
    assert total > 3000
    assert wide < total / 20
