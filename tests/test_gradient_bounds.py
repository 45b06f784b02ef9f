"""The bounds for gradients, against the derivatives of many correct algorithms in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from conformance import bounds, oracle
from conformance.bounds import Accuracy, Bound, U
from conformance.case import State
from conformance.implementation import Config
from conformance.strategies.columns import BLOCK, decode
from conformance.strategies.cotangents import GRADIENT, pulled_cases
from conformance.strategies.source import SIZE, Source

F = np.float32
EPS = 1e-5
COLUMNS = 300
ROWS = (1, 2, 7, 13, 33)

Statistics = Callable[[Any], tuple[Any, Any]]
Apply = Callable[[Any, Any, Any, Any, Any], Any]


# Inputs


@cache
def generated(rows: int) -> tuple[np.ndarray, State]:
    """Return columns as the strategies make them: constants, v ≈ ε and κ up to 1e4 in it."""
    rng = np.random.default_rng(rows)
    drawn = decode([rng.bytes(BLOCK) for _ in range(COLUMNS)], rows, EPS)
    return drawn.x, State(drawn.gamma, drawn.beta, drawn.running_mean, drawn.running_var)


@cache
def constants(rows: int) -> np.ndarray:
    rng = np.random.default_rng(rows)
    values = rng.uniform(0.5, 2, COLUMNS) * 10 ** rng.uniform(-3, 4, COLUMNS)
    return np.tile(values.astype(F), (rows, 1))


@cache
def far_from_zero(rows: int, *kappas: float) -> np.ndarray:
    """Return columns κ standard deviations from zero, with σ from below √ε to 100."""
    rng = np.random.default_rng(rows)
    kappa = rng.choice(kappas or (30, 300, -300, 1e3, 3e3, -1e4, 1e4), COLUMNS)
    noise = rng.standard_normal((rows, COLUMNS))
    noise /= noise.std(axis=0) if rows > 1 else 1
    return ((noise + kappa) * 10 ** rng.uniform(-3.5, 2, COLUMNS)).astype(F)


@cache
def cotangents(rows: int) -> list[np.ndarray]:
    """Return cotangents: centred, with one sign, and with a single row."""
    rng = np.random.default_rng(rows + 1)
    noise = rng.standard_normal((rows, COLUMNS))
    single = np.where(np.arange(rows)[:, None] == rng.integers(rows, size=COLUMNS), noise, 0)
    return [noise.astype(F), np.abs(noise + 3).astype(F), single.astype(F)]


def inputs(rows: int) -> list[np.ndarray]:
    return [generated(rows)[0], constants(rows), far_from_zero(rows)]


# Correct algorithms


def sequential_sum(x):
    total, _ = jax.lax.scan(lambda s, row: (s + row, None), jnp.zeros_like(x[0]), x)
    return total


def two_pass(x, total=lambda x: x.sum(axis=0)):
    mean = total(x) / x.shape[0]
    return mean, total(jnp.square(x - mean)) / x.shape[0]


def sequential(x):
    return two_pass(x, sequential_sum)


def by_reciprocal(x):
    share = F(1) / F(x.shape[0])
    mean = x.sum(axis=0) * share
    return mean, jnp.square(x - mean).sum(axis=0) * share


def library(x):
    return jnp.mean(x, axis=0), jnp.var(x, axis=0)


def corrected(x):
    mean, var = two_pass(x)
    return mean, var - jnp.square(jnp.mean(x - mean, axis=0))


def shifted(x):
    d = x - x[0]
    rest = jnp.mean(d, axis=0)
    return x[0] + rest, jnp.maximum(0.0, jnp.mean(jnp.square(d), axis=0) - jnp.square(rest))


def welford(x):
    def step(carry, row):
        count, mean, squares = carry
        new = mean + (row - mean) / (count + 1)
        return (count + 1, new, squares + (row - mean) * (row - new)), None

    zeros = jnp.zeros_like(x[0])
    (count, mean, squares), _ = jax.lax.scan(step, (F(0), zeros, zeros), x)
    return mean, squares / count


def chunked(x):
    count, mean, squares = 0, jnp.zeros_like(x[0]), jnp.zeros_like(x[0])
    for start in range(0, x.shape[0], 4):
        chunk = x[start : start + 4]
        size, both = len(chunk), count + len(chunk)
        center = chunk.mean(axis=0)
        delta = center - mean
        squares = squares + jnp.square(chunk - center).sum(axis=0)
        squares = squares + delta * delta * F(count * size / both)
        mean = mean + delta * F(size / both)
        count = both
    return mean, squares / count


def one_pass(x):
    mean = jnp.mean(x, axis=0)
    return mean, jnp.maximum(0.0, jnp.mean(jnp.square(x), axis=0) - jnp.square(mean))


STABLE = (
    two_pass,
    sequential,
    by_reciprocal,
    library,
    corrected,
    shifted,
    welford,
    chunked,
)


def direct(x, mean, var, gamma, beta):
    return gamma * ((x - mean) * jax.lax.rsqrt(var + F(EPS))) + beta


def divided(x, mean, var, gamma, beta):
    return gamma * (x - mean) / jnp.sqrt(var + F(EPS)) + beta


def premultiplied(x, mean, var, gamma, beta):
    return (x - mean) * (gamma / jnp.sqrt(var + F(EPS))) + beta


def fused(x, mean, var, gamma, beta):
    scale = gamma * jax.lax.rsqrt(var + F(EPS))
    return x * scale + (beta - mean * scale)


APPLIED = (direct, divided, premultiplied, fused)


def derived(statistics: Statistics, apply: Apply) -> Callable[..., Any]:
    """Return the gradients that JAX derives from an algorithm."""

    def gradients(x, gamma, beta, w):
        def call(gamma, beta, x):
            return apply(x, *statistics(x), gamma, beta)

        return jax.vjp(call, gamma, beta, x)[1](w)

    return gradients


def three_terms(x, gamma, beta, w):
    del beta
    mean, var = two_pass(x)
    r = jax.lax.rsqrt(var + F(EPS))
    z = (x - mean) * r
    return (w * z).sum(0), w.sum(0), gamma * r * (w - w.mean(0) - z * (w * z).mean(0))


def merged(x, gamma, beta, w):
    del beta
    mean, var = library(x)
    r, n = 1 / jnp.sqrt(var + F(EPS)), x.shape[0]
    z = (x - mean) * r
    of_beta, of_gamma = w.sum(0), (w * z).sum(0)
    return of_gamma, of_beta, (gamma * r / n) * (n * w - of_beta - z * of_gamma)


def by_chain_rule(x, gamma, beta, w):
    """The chain rule of the original paper, step by step."""
    del beta
    mean, var = two_pass(x, sequential_sum)
    r, n = 1 / jnp.sqrt(var + F(EPS)), x.shape[0]
    t, of_z = x - mean, w * gamma
    of_var = (of_z * t).sum(0) * F(-0.5) * r**3
    of_mean = -(of_z * r).sum(0) + of_var * (-2 * t).mean(0)
    return (w * t).sum(0) * r, w.sum(0), of_z * r + of_var * 2 * t / n + of_mean / n


BY_HAND = (three_terms, merged, by_chain_rule)


# Ratios of error to bound


def worst(got: Any, wanted: np.ndarray, bound: Bound) -> float:
    return float((np.abs(np.asarray(got, np.float64) - wanted) / bound.allowed).max())


def ratios(gradients: Callable[..., Any], x: np.ndarray, accuracy: Accuracy) -> dict[str, float]:
    """Return the largest error ÷ bound of the three gradients, over several cotangents."""
    state, config = generated(2)[1], Config(features=COLUMNS, eps=EPS)
    found = dict.fromkeys(("gamma", "beta", "x"), 0.0)
    for w in cotangents(len(x)):
        wanted = oracle.training_gradient(config, state, x, w)
        bound = bounds.training_gradient(config, state, x, w, accuracy)
        got = dict(zip(found, gradients(x, state.gamma, state.beta, w), strict=True))
        for name, value in got.items():
            ratio = worst(value, getattr(wanted, name), getattr(bound, name))
            found[name] = max(found[name], ratio)
    return found


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("statistics", STABLE, ids=lambda f: f.__name__)
def test_no_derivative_of_a_stable_algorithm_exceeds_the_bounds(statistics: Statistics, rows: int):
    """Compiled derivatives of every algorithm, applied in every way, stay below the bounds."""
    for apply in APPLIED:
        gradients = jax.jit(derived(statistics, apply))
        for x in inputs(rows):
            found = ratios(gradients, x, Accuracy.STABLE)
            assert max(found.values()) < 1, (apply.__name__, found)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("gradients", BY_HAND, ids=lambda f: f.__name__)
@pytest.mark.parametrize("compile_it", [False, True], ids=["eager", "jit"])
def test_no_formula_exceeds_the_bounds(gradients: Callable[..., Any], rows: int, compile_it: bool):
    """Backward passes written by hand stay below the bounds, compiled or not."""
    for x in inputs(rows):
        found = ratios(jax.jit(gradients) if compile_it else gradients, x, Accuracy.STABLE)
        assert max(found.values()) < 1, found


@pytest.mark.parametrize("statistics", [two_pass, library, shifted], ids=lambda f: f.__name__)
def test_eager_derivatives_stay_within_the_bounds(statistics: Statistics):
    """Executed operation by operation, nothing is fused; the bounds hold as well."""
    for x in inputs(7):
        for apply in (divided, fused):
            found = ratios(derived(statistics, apply), x, Accuracy.STABLE)
            assert max(found.values()) < 1, (apply.__name__, found)


@pytest.mark.parametrize("rows", ROWS)
def test_one_pass_stays_within_its_own_bounds(rows: int):
    """The derivative of a one-pass variance stays below what its declaration admits."""
    for apply in APPLIED:
        gradients = jax.jit(derived(one_pass, apply))
        for x in inputs(rows):
            found = ratios(gradients, x, Accuracy.ONE_PASS)
            assert max(found.values()) < 1, (apply.__name__, found)


@pytest.mark.parametrize("rows", ROWS)
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
                    ratio = worst(value, getattr(wanted, name), getattr(bound, name))
                    assert ratio < 1, (apply.__name__, name)


@pytest.mark.parametrize("statistics", STABLE, ids=lambda f: f.__name__)
def test_the_bounds_hold_where_no_digit_of_the_variance_is_left(statistics: Statistics):
    """At κ = 1e5 to 1e7, where e_v exceeds v + ε, the bounds are wide and still not exceeded."""
    for rows in (2, 13):
        x = far_from_zero(rows, 1e5, 1e6, -1e7)
        for apply in (direct, fused):
            found = ratios(jax.jit(derived(statistics, apply)), x, Accuracy.STABLE)
            assert max(found.values()) < 1, (apply.__name__, found)


# The bounds see mistakes


def on_easy_data(rows: int) -> tuple[np.ndarray, np.ndarray, State, Config]:
    """Return x at κ ≤ 1, a cotangent, and a layer with γ = 2."""
    x = far_from_zero(rows, 0.0, 1.0, -1.0)
    state = State.fresh(COLUMNS).replace(gamma=np.full(COLUMNS, 2, F))
    return x, cotangents(rows)[0], state, Config(features=COLUMNS, eps=EPS)


def beyond(got: np.ndarray, wanted: np.ndarray, bound: Bound) -> float:
    """Return the share of columns in which some element is beyond the bound."""
    error = np.abs(got - wanted).reshape(-1, COLUMNS)
    return float((error > bound.allowed.reshape(-1, COLUMNS)).any(axis=0).mean())


@pytest.mark.parametrize("rows", ROWS[1:])
def test_the_bounds_are_tight_on_easy_data(rows: int):
    """At κ ≤ 1 the bound on dx is below 2e-4 of the largest dx in nearly every column."""
    x, w, state, config = on_easy_data(rows)
    wanted = oracle.training_gradient(config, state, x, w)
    bound = bounds.training_gradient(config, state, x, w, Accuracy.STABLE)
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
    bound = bounds.training_gradient(config, state, x, w, Accuracy.STABLE)
    z = np.asarray(jnp.asarray(oracle.train(config, state, x).z, jnp.bfloat16), np.float64)
    scale = 2 / np.sqrt(oracle.statistics(x)[1] + EPS)
    dx = scale * (w - w.mean(axis=0) - z * (w * z).mean(axis=0))
    assert beyond((w * z).sum(axis=0), wanted.gamma, bound.gamma) > 0.95
    assert beyond(dx, wanted.x, bound.x) > 0.95


@pytest.mark.parametrize("rows", ROWS[2:])
def test_a_wrong_divisor_exceeds_the_bounds(rows: int):
    """N−1 in one of the two means is beyond the bounds in nearly every column."""
    x, w, state, config = on_easy_data(rows)
    wanted = oracle.training_gradient(config, state, x, w)
    bound = bounds.training_gradient(config, state, x, w, Accuracy.STABLE)
    z, scale = oracle.train(config, state, x).z, 2 / np.sqrt(oracle.statistics(x)[1] + EPS)
    center, projection = w.mean(axis=0), z * (w * z).mean(axis=0)
    more = rows / (rows - 1)
    assert beyond(scale * (w - more * center - projection), wanted.x, bound.x) > 0.95
    assert beyond(scale * (w - center - more * projection), wanted.x, bound.x) > 0.95


@pytest.mark.parametrize("rows", [7, 13])
def test_the_derivative_of_a_one_pass_variance_exceeds_the_strict_bound(rows: int):
    """At κ ≥ 1000 it is beyond the strict bound in most columns where v ≫ ε."""
    x, (_, state) = far_from_zero(rows, 1e3, -3e3), generated(2)
    state = state.replace(gamma=np.ones(COLUMNS, F))
    config, w = Config(features=COLUMNS, eps=EPS), cotangents(rows)[0]
    bound = bounds.training_gradient(config, state, x, w, Accuracy.ONE_PASS)
    got = jax.jit(derived(one_pass, direct))(x, state.gamma, state.beta, w)[2]
    error = np.abs(np.asarray(got) - oracle.training_gradient(config, state, x, w).x)
    large = oracle.statistics(x)[1] > 100 * EPS
    assert (error > bound.x.strict).any(axis=0)[large].mean() > 0.5


# By hand, and order


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


@pytest.mark.parametrize("accuracy", Accuracy)
@pytest.mark.parametrize("rows", ROWS)
def test_strict_bounds_are_never_wider(rows: int, accuracy: Accuracy):
    """Every bound is finite and positive, and the strict one is at most the allowed one."""
    state, config = generated(2)[1], Config(features=COLUMNS, eps=EPS)
    for x in inputs(rows):
        found = bounds.training_gradient(config, state, x, cotangents(rows)[0], accuracy)
        for bound in (found.gamma, found.beta, found.x):
            assert np.isfinite(bound.allowed).all()
            assert (bound.strict > 0).all()
            assert (bound.strict <= bound.allowed).all()
            if accuracy is Accuracy.STABLE:
                assert np.array_equal(bound.strict, bound.allowed)


def test_a_gain_of_zero_leaves_no_room():
    """Where γ = 0 nothing but a flushed result is allowed for dx."""
    state = State.fresh(COLUMNS).replace(gamma=np.zeros(COLUMNS, F))
    config = Config(features=COLUMNS, eps=EPS)
    x, w = far_from_zero(7), cotangents(7)[0]
    assert bounds.training_gradient(config, state, x, w, Accuracy.STABLE).x.allowed.max() < 1e-30


def test_few_generated_comparisons_are_vacuous():
    """In the cases that are judged, at most one dx in twenty has a bound above its column."""
    wide = total = 0
    decoder = pulled_cases(GRADIENT)
    rng = np.random.default_rng(0)
    for _ in range(300):
        case, w, _ = decoder.decode(Source(rng.bytes(SIZE)))
        state = case.state or State.fresh(case.config.features)
        size = np.abs(state.gamma * w).max(axis=0)
        size = size / np.sqrt(oracle.statistics(case.x)[1] + case.config.eps)
        bound = bounds.training_gradient(case.config, state, case.x, w, Accuracy.STABLE).x
        seen = np.broadcast_to(size > 0, w.shape)
        wide += int((bound.allowed > size)[seen].sum())
        total += int(seen.sum())
    assert total > 3000
    assert wide < total / 20
