"""The bounds for gradients, against the derivatives of many correct algorithms in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.gradient_algorithms import (
    APPLIED,
    BY_HAND,
    COLUMNS,
    EPS,
    ROWS,
    STABLE,
    F,
    Statistics,
    cotangents,
    derived,
    direct,
    divided,
    far_from_zero,
    fused,
    generated,
    inputs,
    library,
    one_pass,
    shifted,
    two_pass,
)
from support.sampling import exhaustive

from conformance.adapters.protocols import Config
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation

ONE_PASS = Conventions(frozenset({Deviation.ONE_PASS_VARIANCE}))
SAMPLE = {2, 33}
"""Numbers of rows in the default run; nearly all the time goes into compiling for each."""

EACH_ROWS = [pytest.param(n, marks=() if n in SAMPLE else exhaustive) for n in ROWS]


def worst_ratio(got: Any, wanted: np.ndarray, bound: Bound) -> float:
    return float((np.abs(np.asarray(got, np.float64) - wanted) / bound.allowed).max())


def ratios(
    gradients: Callable[..., Any], x: np.ndarray, conventions: Conventions
) -> dict[str, float]:
    """Return the largest error ÷ bound of the three gradients, over several cotangents."""
    state, config = generated(2)[1], Config(features=COLUMNS, eps=EPS)
    found = dict.fromkeys(("gamma", "beta", "x"), 0.0)
    for w in cotangents(len(x)):
        wanted = oracle.training_gradient(config, state, x, w)
        bound = bounds.training_gradient(config, state, x, w, conventions)
        got = dict(zip(found, gradients(x, state.gamma, state.beta, w), strict=True))
        for name, value in got.items():
            ratio = worst_ratio(value, getattr(wanted, name), getattr(bound, name))
            found[name] = max(found[name], ratio)
    return found


@pytest.mark.parametrize(
    "rows", [pytest.param(n, marks=() if n == max(ROWS) else exhaustive) for n in ROWS]
)
@pytest.mark.parametrize("statistics", STABLE, ids=lambda f: f.__name__)
def test_no_derivative_of_a_stable_algorithm_exceeds_the_bounds(statistics: Statistics, rows: int):
    """Compiled derivatives of every algorithm, applied in every way, stay below the bounds."""
    for apply in APPLIED:
        gradients = jax.jit(derived(statistics, apply))
        for x in inputs(rows):
            found = ratios(gradients, x, STRICT)
            assert max(found.values()) < 1, (apply.__name__, found)


@pytest.mark.parametrize("rows", EACH_ROWS)
@pytest.mark.parametrize("gradients", BY_HAND, ids=lambda f: f.__name__)
@pytest.mark.parametrize("compile_it", [False, True], ids=["eager", "jit"])
def test_no_formula_exceeds_the_bounds(gradients: Callable[..., Any], rows: int, compile_it: bool):
    """Backward passes written by hand stay below the bounds, compiled or not."""
    for x in inputs(rows):
        found = ratios(jax.jit(gradients) if compile_it else gradients, x, STRICT)
        assert max(found.values()) < 1, found


@pytest.mark.parametrize("statistics", [two_pass, library, shifted], ids=lambda f: f.__name__)
def test_eager_derivatives_stay_within_the_bounds(statistics: Statistics):
    """Executed operation by operation, nothing is fused; the bounds hold as well."""
    for x in inputs(7):
        for apply in (divided, fused):
            found = ratios(derived(statistics, apply), x, STRICT)
            assert max(found.values()) < 1, (apply.__name__, found)


@pytest.mark.parametrize("rows", EACH_ROWS)
def test_one_pass_stays_within_its_own_bounds(rows: int):
    """The derivative of a one-pass variance stays within the bound of its declaration."""
    for apply in APPLIED:
        gradients = jax.jit(derived(one_pass, apply))
        for x in inputs(rows):
            found = ratios(gradients, x, ONE_PASS)
            assert max(found.values()) < 1, (apply.__name__, found)


@pytest.mark.parametrize("rows", EACH_ROWS)
def test_evaluation_stays_within_the_bounds(rows: int):
    """Every way to apply given statistics has gradients below the bounds for evaluation."""
    state, config = generated(2)[1], Config(features=COLUMNS, eps=EPS)
    stored = (state.running_mean, state.running_var)
    for apply in APPLIED:
        gradients = jax.jit(derived(lambda _: stored, apply))
        for x in inputs(rows):
            for w in cotangents(rows):
                wanted = oracle.evaluation_gradient(config, state, x, w)
                bound = bounds.evaluation_gradient(config, state, x, w)
                got = gradients(x, state.gamma, state.beta, w)
                for name, value in zip(("gamma", "beta", "x"), got, strict=True):
                    ratio = worst_ratio(value, getattr(wanted, name), getattr(bound, name))
                    assert ratio < 1, (apply.__name__, name)


@pytest.mark.parametrize("statistics", STABLE, ids=lambda f: f.__name__)
def test_the_bounds_hold_where_no_digit_of_the_variance_is_left(statistics: Statistics):
    """At κ = 1e5 to 1e7, where e_v exceeds v + ε, the bounds are wide and still not exceeded."""
    for rows in (2, 33):
        x = far_from_zero(rows, 1e5, 1e6, -1e7)
        for apply in (direct, fused):
            found = ratios(jax.jit(derived(statistics, apply)), x, STRICT)
            assert max(found.values()) < 1, (apply.__name__, found)


# The bounds see mistakes


def on_easy_data(rows: int) -> tuple[np.ndarray, np.ndarray, State, Config]:
    """Return x at κ ≤ 1, a cotangent, and a layer with γ = 2."""
    x = far_from_zero(rows, 0.0, 1.0, -1.0)
    state = State.fresh(COLUMNS).replace(gamma=np.full(COLUMNS, 2, F))
    return x, cotangents(rows)[0], state, Config(features=COLUMNS, eps=EPS)


def share_beyond(got: np.ndarray, wanted: np.ndarray, bound: Bound) -> float:
    """Return the share of columns in which some element is beyond the bound."""
    error = np.abs(got - wanted).reshape(-1, COLUMNS)
    return float((error > bound.allowed.reshape(-1, COLUMNS)).any(axis=0).mean())


@pytest.mark.parametrize("rows", ROWS[1:])
def test_the_bounds_are_tight_on_easy_data(rows: int):
    """At κ ≤ 1 the bound on dx is below 2e-4 of the largest dx in nearly every column."""
    x, w, state, config = on_easy_data(rows)
    wanted = oracle.training_gradient(config, state, x, w)
    bound = bounds.training_gradient(config, state, x, w, STRICT)
    rest = slice(1, None)  # the first row has room for an algorithm that shifts by it
    relative = bound.x.allowed[rest].max(axis=0) / np.abs(wanted.x).max(axis=0)
    size = np.abs(w * oracle.train(config, state, x).z).sum(axis=0)
    if rows > 2:  # with two rows dx is tiny where v ≫ ε: w − mean(w) is all along z
        assert np.quantile(relative, 0.9) < 2e-4
    assert np.quantile(bound.gamma.allowed / size, 0.9) < 1e-4


@pytest.mark.parametrize("rows", ROWS[2:])
def test_a_bfloat16_residual_exceeds_the_bounds(rows: int):
    """z rounded to bfloat16 is beyond the bounds of dγ and dx in nearly every column."""
    x, w, state, config = on_easy_data(rows)
    wanted = oracle.training_gradient(config, state, x, w)
    bound = bounds.training_gradient(config, state, x, w, STRICT)
    z = np.asarray(jnp.asarray(oracle.train(config, state, x).z, jnp.bfloat16), np.float64)
    scale = 2 / np.sqrt(oracle.statistics(x)[1] + EPS)
    dx = scale * (w - w.mean(axis=0) - z * (w * z).mean(axis=0))
    assert share_beyond((w * z).sum(axis=0), wanted.gamma, bound.gamma) > 0.95
    assert share_beyond(dx, wanted.x, bound.x) > 0.95


@pytest.mark.parametrize("rows", ROWS[2:])
def test_a_wrong_divisor_exceeds_the_bounds(rows: int):
    """N−1 in one of the two means is beyond the bounds in nearly every column."""
    x, w, state, config = on_easy_data(rows)
    wanted = oracle.training_gradient(config, state, x, w)
    bound = bounds.training_gradient(config, state, x, w, STRICT)
    z, scale = oracle.train(config, state, x).z, 2 / np.sqrt(oracle.statistics(x)[1] + EPS)
    center, projection = w.mean(axis=0), z * (w * z).mean(axis=0)
    more = rows / (rows - 1)
    assert share_beyond(scale * (w - more * center - projection), wanted.x, bound.x) > 0.95
    assert share_beyond(scale * (w - center - more * projection), wanted.x, bound.x) > 0.95


@pytest.mark.parametrize("rows", [7, 13])
def test_the_derivative_of_a_one_pass_variance_exceeds_the_strict_bound(rows: int):
    """At κ ≥ 1000 it is beyond the strict bound in most columns where v ≫ ε."""
    x, (_, state) = far_from_zero(rows, 1e3, -3e3), generated(2)
    state = state.replace(gamma=np.ones(COLUMNS, F))
    config, w = Config(features=COLUMNS, eps=EPS), cotangents(rows)[0]
    bound = bounds.training_gradient(config, state, x, w, ONE_PASS)
    got = jax.jit(derived(one_pass, direct))(x, state.gamma, state.beta, w)[2]
    error = np.abs(np.asarray(got) - oracle.training_gradient(config, state, x, w).x)
    large = oracle.statistics(x)[1] > 100 * EPS
    assert (error > bound.x.strict).any(axis=0)[large].mean() > 0.5
