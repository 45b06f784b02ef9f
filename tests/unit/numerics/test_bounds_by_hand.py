"""The error bounds: by hand, and their order."""

from __future__ import annotations

import numpy as np
import pytest
from support.float32_algorithms import EPS, MOMENTUM, F, far_from_zero, inputs, parameters

from conformance.adapters.protocols import Config
from conformance.numerics import bounds
from conformance.numerics.bounds import Bound, U
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation

ONE_PASS = Conventions(frozenset({Deviation.ONE_PASS_VARIANCE}))

# By hand


def test_the_mean_by_hand():
    """For 1, 3: h = 1, A = 2, so e_μ = 8u; shifting by 1: 6u + 4u + u = 11u, the larger."""
    x = np.array([[1.0], [3.0]])
    assert bounds.mean_error(x) == pytest.approx([11 * U])
    assert bounds.mean_error(np.array([[1.0], [1.0], [1.0]])) == pytest.approx([5 * U])


def test_the_variance_by_hand():
    """For −1, 1: e_μ = 7u, so two passes: 9u + 4·7u, updating: 27u, shifting: 33u + 4u."""
    x = np.array([[-1.0], [1.0]])
    assert bounds.mean_error(x) == pytest.approx([7 * U])
    assert bounds.one_pass_error(x - x[0]) == pytest.approx([33 * U], rel=1e-5)
    assert bounds.variance_error(x) == pytest.approx([37 * U], rel=1e-5)


def test_one_pass_by_hand():
    """For 9, 11: h = 1, v = 1, μ = 10, so e_v = 7u·101 + 3u·100 + 20·e_μ, up to e_μ²."""
    x = np.array([[9.0], [11.0]])
    e_mean = bounds.mean_error(x)[0]
    assert e_mean == pytest.approx(40 * U)
    wanted = (7 * 101 + 3 * 100 + 20 * 40) * U
    assert bounds.one_pass_error(x) == pytest.approx([wanted], rel=1e-5)


def test_the_update_by_hand():
    """One update keeps m of the old error, takes 1−m of the new one, and adds 6u of the larger."""
    found = bounds.ema_error(0.75, np.array([4.0]), np.array([8.0]), [-2.0], np.array([1.0]))
    assert found == pytest.approx([0.75 * 4 + 0.25 * 8 + 12 * U])


def test_evaluation_by_hand():
    """With γ = 1, x = rm, β = 0 only the fused form errs: r·(1+ρ)·u·(2|x|+3|μ|)."""
    state = State.fresh(1).replace(running_mean=np.array([2], F), running_var=np.array([3], F))
    config = Config(features=1, eps=1.0)
    found = bounds.evaluate(config, state, np.array([[2.0]]))
    assert found.allowed == pytest.approx(np.array([[1.05 * 0.5 * 10 * U]]), rel=1e-5)


# Order


@pytest.mark.parametrize("conventions", [STRICT, ONE_PASS], ids=["strict", "one pass"])
@pytest.mark.parametrize("rows", [1, 2, 7, 33])
def test_strict_bounds_are_never_wider(rows: int, conventions: Conventions):
    """Every bound is positive and finite, and the strict one is at most the allowed one."""
    x = np.concatenate(inputs(rows), axis=1)
    state = parameters(x.shape[1])
    config = Config(features=x.shape[1], momentum=MOMENTUM, eps=EPS)
    found = bounds.train(config, state, x, conventions)
    every = [getattr(found, name) for name in ("mean", "var", "y", "running_mean", "running_var")]
    for bound in (*every, bounds.evaluate(config, state, x)):
        assert np.isfinite(bound.allowed).all()
        assert (bound.strict > 0).all()
        assert (bound.strict <= bound.allowed).all()


def test_without_a_declaration_both_bounds_are_one():
    """Under ``STABLE`` the allowed bound is the strict one."""
    bound = bounds.statistics(far_from_zero(8), STRICT)[1]
    assert np.array_equal(bound.allowed, bound.strict)


def test_a_declaration_widens_at_large_offsets():
    """At κ ≥ 300 the one-pass bound is at least 20 times the stable one; the strict one stays."""
    x = far_from_zero(8)
    stable = bounds.statistics(x, STRICT)[1]
    wider = bounds.statistics(x, ONE_PASS)[1]
    assert (wider.allowed > 20 * stable.allowed).all()
    assert np.array_equal(wider.strict, stable.strict)


def test_a_declaration_changes_nothing_about_the_mean():
    """The bound on the mean does not depend on how the variance is computed."""
    x = far_from_zero(8)
    one, two = (bounds.statistics(x, c)[0] for c in (STRICT, ONE_PASS))
    assert np.array_equal(one.allowed, two.allowed)


def test_the_mean_of_one_row_is_exact():
    """At N = 1 no error of the mean is allowed, except a result flushed to zero."""
    assert np.array_equal(bounds.mean_error(np.array([[1e9, -3.0]])), [0.0, 0.0])
    mean, _ = bounds.statistics(np.array([[1e9, -3.0]]), STRICT)
    assert mean.allowed.max() < 1e-36


def test_more_rows_allow_more():
    """Repeating a batch never makes the bounds on its statistics tighter."""
    x = np.concatenate(inputs(5), axis=1)
    for once, twice in zip(
        bounds.statistics(x, STRICT), bounds.statistics(np.concatenate([x, x]), STRICT), strict=True
    ):
        assert (twice.strict >= once.strict * (1 - 1e-12)).all()


def test_bounds_scale_with_the_data():
    """Doubling x doubles the bound on the mean and quadruples the one on the variance."""
    x = far_from_zero(7).astype(np.float64)
    assert bounds.mean_error(2 * x) == pytest.approx(2 * bounds.mean_error(x))
    assert bounds.variance_error(2 * x) == pytest.approx(4 * bounds.variance_error(x))


def test_bounds_of_combinations():
    """Sums, means, squares and parts of bounds follow the rules of error propagation."""
    one = Bound(np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([[0.5, 1.0], [1.5, 2.0]]))
    assert np.array_equal((one + one).allowed, 2 * one.allowed)
    assert np.array_equal((one + one).strict, 2 * one.strict)
    assert (one.mean().allowed.tolist(), one.mean().strict.tolist()) == ([2, 4], [1, 1.5])
    square = one.of_square(np.array([[-3.0, 0.0], [1.0, 0.0]]))
    assert square.allowed.tolist() == [[7, 4], [15, 36]]
    assert square.strict.tolist() == [[3.25, 1], [5.25, 4]]
    assert one[1].allowed.tolist() == [3, 6]
    assert one[:, [1, 0]].strict.tolist() == [[1, 0.5], [2, 1.5]]


def test_first_order_bounds_get_a_margin():
    """Finished bounds are 5 % wider and never zero; a narrower declared bound changes nothing."""
    done = Bound.of(np.array([1.0, 0.0]), np.array([0.5, 2.0]))
    assert done.strict == pytest.approx([1.05, 0], abs=1e-30)
    assert done.allowed == pytest.approx([1.05, 2.1])
    assert (done.strict > 0).all()
