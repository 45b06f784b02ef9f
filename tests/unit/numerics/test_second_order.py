"""Derivatives along a tangent and second derivatives: the oracle's, and their bounds."""

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
    STABLE,
    Apply,
    F,
    Statistics,
    constants,
    cotangents,
    direct,
    far_from_zero,
    fused,
    generated,
    one_pass,
    two_pass,
)
from support.sampling import exhaustive

from conformance.adapters.protocols import Config
from conformance.numerics import bounds, oracle
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.second_order import output_along, second_gradients
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation

ONE_PASS = Conventions(frozenset({Deviation.ONE_PASS_VARIANCE}))
CONFIG = Config(features=COLUMNS, eps=EPS)
EACH_ROWS = [pytest.param(n, marks=() if n == 7 else exhaustive) for n in (1, 2, 3, 7, 33)]

# The oracle


def small(seed: int) -> tuple[np.ndarray, State, Config, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((5, 3)) * [0.1, 1, 3] + [0, 2, -1]
    state = State(*rng.standard_normal((3, 3)), rng.random(3))
    return x, state, Config(features=3, eps=0.01), [rng.standard_normal((5, 3)) for _ in range(2)]


@pytest.mark.parametrize("evaluate", [False, True])
def test_the_output_moves_as_its_differences(evaluate: bool):
    """Central differences of y along a tangent of γ, β and x agree with the closed form."""
    x, state, config, (t, _) = small(1)
    along, step = (np.array([1, -2, 0.5]), np.array([0.25, 0, -1]), t), 1e-6

    def y(distance: float) -> np.ndarray:
        gamma, beta = state.gamma + distance * along[0], state.beta + distance * along[1]
        moved = state.replace(gamma=gamma, beta=beta)
        at = x + distance * t
        if evaluate:
            return oracle.evaluate(config, moved, at)
        return oracle.train(config, moved, at).y

    got = output_along(x, state.arrays(), config.eps, along, evaluate)
    assert got == pytest.approx((y(step) - y(-step)) / (2 * step), abs=1e-7)


@pytest.mark.parametrize("evaluate", [False, True])
def test_second_gradients_are_the_slopes_of_the_first(evaluate: bool):
    """Central differences of Σ t·dx, in every number, agree with the closed form."""
    x, state, config, (w, t) = small(2)
    gradient = oracle.evaluation_gradient if evaluate else oracle.training_gradient

    def slopes(array: np.ndarray, value: Callable[[np.ndarray], float]) -> np.ndarray:
        found, step = np.empty_like(array), 1e-6
        for place in np.ndindex(array.shape):
            unit = np.zeros_like(array)
            unit[place] = step
            found[place] = (value(array + unit) - value(array - unit)) / (2 * step)
        return found

    def of_gamma(gamma: np.ndarray) -> float:
        return (t * gradient(config, state.replace(gamma=gamma), x, w).x).sum()

    got = second_gradients(x, state.arrays(), config.eps, w, t, evaluate)
    of_x = slopes(x, lambda x: (t * gradient(config, state, x, w).x).sum())
    of_w = slopes(w, lambda w: (t * gradient(config, state, x, w).x).sum())
    assert got["gamma"] == pytest.approx(slopes(state.gamma, of_gamma), abs=1e-6)
    assert got["x"] == pytest.approx(of_x, abs=1e-5)
    assert got["w"] == pytest.approx(of_w, abs=1e-6)


# The bounds


def inputs(rows: int) -> list[np.ndarray]:
    """Return generated columns, constants, and offsets of up to 300 standard deviations."""
    return [generated(rows)[0], constants(rows), far_from_zero(rows, 0, 1, -30, 300)]


def pushed(statistics: Statistics, apply: Apply) -> Callable[..., Any]:
    """Return ẏ as jax.jvp derives it."""

    def call(x: Any, gamma: Any, beta: Any) -> Any:
        return apply(x, *statistics(x), gamma, beta)

    return lambda primals, tangents: jax.jvp(call, primals, tangents)[1]


def twice(output: Callable[..., Any], *, forward: bool) -> Callable[..., Any]:
    """Return the derivatives of Σ t·dx for γ, x and w that JAX derives from an output."""

    def gradients(gamma: Any, x: Any, w: Any) -> Any:
        y, pullback = jax.vjp(lambda gamma, x: output(x, gamma), gamma, x)
        return y, *pullback(w)

    def ahead(x: Any, gamma: Any, w: Any, t: Any) -> Any:
        of_w, of_gamma, of_x = jax.jvp(lambda x: gradients(gamma, x, w), (x,), (t,))[1]
        return of_gamma, of_x, of_w

    def behind(x: Any, gamma: Any, w: Any, t: Any) -> Any:
        def inner(gamma: Any, x: Any, w: Any) -> Any:
            return (gradients(gamma, x, w)[2] * t).sum()

        return jax.grad(inner, (0, 1, 2))(gamma, x, w)

    return ahead if forward else behind


def derived(statistics: Statistics, apply: Apply) -> Callable[..., Any]:
    return lambda x, gamma: apply(x, *statistics(x), gamma, jnp.zeros_like(gamma))


def written(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Return an output whose derivative is a backward pass that is written by hand."""

    @jax.custom_vjp
    def output(x: Any, gamma: Any) -> Any:
        return direct(x, *two_pass(x), gamma, 0)

    def pull(saved: Any, w: Any) -> Any:
        of_gamma, _, of_x = backward(*saved, jnp.zeros_like(saved[1]), w)
        return of_x, of_gamma

    output.defvjp(lambda x, gamma: (direct(x, *two_pass(x), gamma, 0), (x, gamma)), pull)
    return output


def worst(got: Any, wanted: Any, bound: bounds.Bound) -> float:
    return float((np.abs(np.asarray(got, np.float64) - wanted) / bound.allowed).max())


def second_ratios(
    program: Callable[..., Any], x: np.ndarray, conventions: Conventions = STRICT
) -> dict[str, float]:
    """Return the largest error ÷ bound of the three second derivatives, over pairs of w and t."""
    state, found = generated(2)[1], dict.fromkeys(("gamma", "x", "w"), 0.0)
    first, second, third = cotangents(len(x))
    for w, t in ((first, second), (second, first), (third, third), (second, third)):
        wanted = second_gradients(x, state.arrays(), EPS, w, t, False)
        bound = bounds.second_gradients(CONFIG, state, x, w, t, conventions, evaluate=False)
        for name, got in zip(found, program(x, state.gamma, w, t), strict=True):
            found[name] = max(found[name], worst(got, wanted[name], getattr(bound, name)))
    return found


@pytest.mark.parametrize("rows", EACH_ROWS)
@pytest.mark.parametrize("statistics", STABLE, ids=lambda f: f.__name__)
@pytest.mark.parametrize("apply", APPLIED, ids=lambda f: f.__name__)
def test_no_tangent_of_a_stable_algorithm_exceeds_the_bound(
    statistics: Statistics, apply: Apply, rows: int
):
    """What jax.jvp derives from every algorithm stays below the bound."""
    state, of_gamma = generated(2)[1], np.resize(np.array([0, 1, -2.5], F), COLUMNS)
    program = jax.jit(pushed(statistics, apply))
    for x in inputs(rows):
        for t in cotangents(rows):
            along = of_gamma, of_gamma[::-1].copy(), t
            got = program((x, state.gamma, state.beta), (t, *along[:2]))
            wanted = output_along(x, state.arrays(), EPS, along, False)
            bound = bounds.output_along(CONFIG, state, x, along, evaluate=False)
            assert worst(got, wanted, bound) < 1


@pytest.mark.parametrize("rows", EACH_ROWS)
@pytest.mark.parametrize("statistics", STABLE, ids=lambda f: f.__name__)
@pytest.mark.parametrize("forward", [False, pytest.param(True, marks=exhaustive)])
def test_no_second_derivative_of_a_stable_algorithm_exceeds_the_bounds(
    statistics: Statistics, rows: int, forward: bool
):
    """Forward and reverse over reverse of every algorithm stay below the bounds."""
    for apply in APPLIED if rows != 7 else (direct, fused):
        program = jax.jit(twice(derived(statistics, apply), forward=forward))
        for x in inputs(rows):
            found = second_ratios(program, x)
            assert max(found.values()) < 1, (apply.__name__, found)


@pytest.mark.parametrize("rows", EACH_ROWS)
@pytest.mark.parametrize("backward", BY_HAND, ids=lambda f: f.__name__)
@pytest.mark.parametrize("forward", [False, True])
def test_no_derivative_of_a_backward_pass_exceeds_the_bounds(
    backward: Callable[..., Any], rows: int, forward: bool
):
    """Backward passes that are written by hand can be differentiated, within the bounds."""
    program = jax.jit(twice(written(backward), forward=forward))
    for x in inputs(rows):
        found = second_ratios(program, x)
        assert max(found.values()) < 1, found


@pytest.mark.parametrize("rows", EACH_ROWS)
def test_one_pass_stays_within_its_own_bounds(rows: int):
    """The second derivatives of a one-pass variance stay below the bounds of its declaration."""
    for apply in (direct, fused):
        program = jax.jit(twice(derived(one_pass, apply), forward=False))
        for x in inputs(rows):
            found = second_ratios(program, x, ONE_PASS)
            assert max(found.values()) < 1, (apply.__name__, found)


def test_the_bounds_are_tight_on_easy_data():
    """At κ ≤ 1 the bounds are below 2e-3 of the largest value in nearly every column."""
    x, state = far_from_zero(13, 0.0, 1.0, -1.0), State.fresh(COLUMNS)
    w, t, _ = cotangents(13)
    wanted = second_gradients(x, state.arrays(), EPS, w, t, False)
    bound = bounds.second_gradients(CONFIG, state, x, w, t, evaluate=False)
    along = np.ones(COLUMNS), np.ones(COLUMNS), t
    moved = bounds.output_along(CONFIG, state, x, along, evaluate=False).allowed
    size = np.abs(output_along(x, state.arrays(), EPS, along, False)).max(axis=0)
    rest = slice(1, None)  # the first row has room for an algorithm that shifts by it
    of_x = bound.x.allowed[rest].max(axis=0) / np.abs(wanted["x"]).max(axis=0)
    assert np.quantile(of_x, 0.9) < 2e-3
    assert np.quantile(moved[rest].max(axis=0) / size, 0.9) < 2e-4
