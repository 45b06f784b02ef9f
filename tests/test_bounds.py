"""The error bounds: by hand, their order, and against many correct algorithms in float32."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from conformance import bounds, oracle
from conformance.bounds import Accuracy, Bound, U
from conformance.case import State
from conformance.implementation import Config
from conformance.strategies.columns import BLOCK, Columns, decode

F = np.float32
Statistics = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

EPS = 1e-5
MOMENTUM = 0.9
COLUMNS = 300
ROWS = (1, 2, 3, 5, 7, 8, 13, 17, 33, 40)


# Inputs


@cache
def generated(rows: int) -> Columns:
    """Return several hundred columns as the strategies make them, constants and κ ≤ 1e4 in it."""
    rng = np.random.default_rng(rows)
    return decode([rng.bytes(BLOCK) for _ in range(COLUMNS)], rows, EPS)


@cache
def constants(rows: int) -> np.ndarray:
    """Return columns of one number each: the errors of a sequential sum share one sign."""
    rng = np.random.default_rng(rows)
    values = rng.uniform(0.5, 2, COLUMNS) * 10 ** rng.uniform(-3, 5, COLUMNS)
    return np.tile(values.astype(F), (rows, 1))


@cache
def far_from_zero(rows: int) -> np.ndarray:
    """Return columns at 300 to 1e4 standard deviations from zero, on both sides."""
    rng = np.random.default_rng(rows)
    kappa = rng.choice([300, -300, 1e3, 3e3, -1e4, 1e4], COLUMNS)
    noise = rng.standard_normal((rows, COLUMNS))
    noise /= noise.std(axis=0) if rows > 1 else 1
    return ((noise + kappa) * 10 ** rng.uniform(-2, 2, COLUMNS)).astype(F)


def inputs(rows: int) -> list[np.ndarray]:
    return [generated(rows).x, constants(rows), far_from_zero(rows)]


# Correct algorithms in float32


def sequential_sum(values: np.ndarray) -> np.ndarray:
    total = np.zeros_like(values[0])
    for value in values:
        total = total + value
    return total


def pairwise_sum(values: np.ndarray) -> np.ndarray:
    if len(values) == 1:
        return values[0]
    half = (len(values) + 1) // 2
    return pairwise_sum(values[:half]) + pairwise_sum(values[half:])


def two_pass(x: np.ndarray, total=sequential_sum) -> tuple[np.ndarray, np.ndarray]:
    mean = total(x) / F(len(x))
    return mean, total(np.square(x - mean)) / F(len(x))


def pairwise(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return two_pass(x, pairwise_sum)


def by_reciprocal(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    share = F(1) / F(len(x))
    mean = sequential_sum(x) * share
    return mean, sequential_sum(np.square(x - mean)) * share


def corrected(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, var = two_pass(x)
    rest = sequential_sum(x - mean) / F(len(x))
    return mean, np.maximum(var - rest * rest, F(0))


def welford(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, squares = np.zeros_like(x[0]), np.zeros_like(x[0])
    for count, row in enumerate(x, 1):
        delta = row - mean
        mean = mean + delta / F(count)
        squares = squares + delta * (row - mean)
    return mean, squares / F(len(x))


def shifted(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    d = x - x[0]
    rest = sequential_sum(d) / F(len(x))
    var = sequential_sum(np.square(d)) / F(len(x)) - rest * rest
    return x[0] + rest, np.maximum(var, F(0))


def chunked(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    count, mean, squares = 0, np.zeros_like(x[0]), np.zeros_like(x[0])
    for start in range(0, len(x), 4):
        chunk = x[start : start + 4]
        size, both = len(chunk), count + len(chunk)
        center = sequential_sum(chunk) / F(size)
        delta = center - mean
        squares = squares + sequential_sum(np.square(chunk - center))
        squares = squares + delta * delta * F(count * size / both)
        mean = mean + delta * F(size / both)
        count = both
    return mean, squares / F(count)


def one_pass(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = sequential_sum(x) / F(len(x))
    var = sequential_sum(np.square(x)) / F(len(x)) - mean * mean
    return mean, np.maximum(var, F(0))


STABLE = (two_pass, pairwise, by_reciprocal, corrected, welford, shifted, chunked)


def direct(x, mean, r, gamma, beta):
    return gamma * ((x - mean) * r) + beta


def premultiplied(x, mean, r, gamma, beta):
    return (x - mean) * (gamma * r) + beta


def fused(x, mean, r, gamma, beta):
    scale = gamma * r
    return x * scale + (beta - mean * scale)


APPLIED = (direct, premultiplied, fused)

# Ratios of error to bound


def parameters(features: int) -> State:
    drawn = generated(2)
    return State(drawn.gamma, drawn.beta, drawn.running_mean, drawn.running_var).take(
        np.arange(features) % COLUMNS
    )


def worst(got: np.ndarray, wanted: np.ndarray, bound: Bound, *, strict: bool = False) -> float:
    limit = bound.strict if strict else bound.allowed
    return float((np.abs(np.asarray(got, np.float64) - wanted) / limit).max())


def ratios(x: np.ndarray, computed: Statistics, accuracy: Accuracy) -> dict[str, float]:
    """Return the largest error ÷ bound of everything one training call gives."""
    state = parameters(x.shape[1])
    config = Config(features=x.shape[1], momentum=MOMENTUM, eps=EPS)
    truth = oracle.train(config, state, x)
    bound = bounds.train(config, state, x, accuracy)
    mean, var = computed(x)
    r = F(1) / np.sqrt(var + F(EPS))
    found = {"mean": worst(mean, truth.mean, bound.mean), "var": worst(var, truth.var, bound.var)}
    for apply in APPLIED:
        y = apply(x, mean, r, state.gamma, state.beta)
        found[f"y {apply.__name__}"] = worst(y, truth.y, bound.y)
    for name, new in (("running_mean", mean), ("running_var", var)):
        old, wanted, limit = getattr(state, name), getattr(truth, name), getattr(bound, name)
        convex = F(MOMENTUM) * old + (F(1) - F(MOMENTUM)) * new
        moved = old + F(1 - MOMENTUM) * (new - old)
        found[name] = max(worst(convex, wanted, limit), worst(moved, wanted, limit))
    return found


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("computed", STABLE, ids=lambda f: f.__name__)
def test_no_stable_algorithm_exceeds_the_bounds(computed: Statistics, rows: int):
    """Statistics, outputs and running values of a stable algorithm stay below the bounds."""
    for x in inputs(rows):
        found = ratios(x, computed, Accuracy.STABLE)
        assert max(found.values()) < 1, found


@pytest.mark.parametrize("rows", ROWS)
def test_one_pass_stays_within_its_own_bounds(rows: int):
    """The one-pass variance stays below the bounds that a declaration of it admits."""
    for x in inputs(rows):
        found = ratios(x, one_pass, Accuracy.ONE_PASS)
        assert max(found.values()) < 1, found


def jitted_two_pass(total) -> Statistics:
    def computed(x):
        mean = total(x) / x.shape[0]
        return mean, total(jnp.square(x - mean)) / x.shape[0]

    return jax.jit(computed)


JITTED = {
    "sum": jitted_two_pass(lambda x: x.sum(axis=0)),
    "pairwise": jitted_two_pass(pairwise_sum),
    "sequential": jitted_two_pass(lambda x: sum(x[i] for i in range(x.shape[0]))),
    "chunks": jitted_two_pass(lambda x: sum(x[i : i + 4].sum(axis=0) for i in range(0, len(x), 4))),
    "library": jax.jit(lambda x: (jnp.mean(x, axis=0), jnp.var(x, axis=0))),
}


@pytest.mark.parametrize("rows", [7, 13])
@pytest.mark.parametrize("name", JITTED)
def test_no_compiled_algorithm_exceeds_the_bounds(name: str, rows: int):
    """Where a compiler fuses the mean into the rows, κ ≥ 300 stays below the bounds."""

    def computed(x):
        return tuple(np.asarray(value) for value in JITTED[name](x))

    for x in inputs(rows):
        found = ratios(x, computed, Accuracy.STABLE)
        assert max(found.values()) < 1, found


@pytest.mark.parametrize("rows", [1, 5, 33])
def test_evaluation_stays_within_the_bounds(rows: int):
    """Every way to apply given statistics stays below the bound for evaluation."""
    for x in inputs(rows):
        state = parameters(x.shape[1])
        config = Config(features=x.shape[1], eps=EPS)
        wanted = oracle.evaluate(config, state, x)
        bound = bounds.evaluate(config, state, x)
        r = F(1) / np.sqrt(state.running_var + F(EPS))
        for apply in APPLIED:
            y = apply(x, state.running_mean, r, state.gamma, state.beta)
            assert worst(y, wanted, bound) < 1


# The bounds see mistakes


@pytest.mark.parametrize("rows", [5, 8, 17])
def test_one_pass_exceeds_the_strict_bound(rows: int):
    """At κ ≥ 300 a one-pass variance is beyond the strict bound in most columns."""
    x = far_from_zero(rows)
    _, var = one_pass(x)
    limit = bounds.statistics(x, Accuracy.ONE_PASS)[1]
    beyond = np.abs(var - oracle.statistics(x)[1]) > limit.strict
    assert beyond.mean() > 0.5


@pytest.mark.parametrize("rows", [5, 8, 33])
def test_half_precision_exceeds_the_bounds(rows: int):
    """Outputs or statistics rounded to bfloat16 are beyond the bounds by far."""
    x = np.random.default_rng(rows).standard_normal((rows, COLUMNS)).astype(F)
    state, config = State.fresh(COLUMNS), Config(features=COLUMNS, eps=EPS)
    truth = oracle.train(config, state, x)
    bound = bounds.train(config, state, x, Accuracy.ONE_PASS)
    for name in ("y", "mean", "var", "running_var"):
        exact = getattr(truth, name)
        rounded = np.asarray(jnp.asarray(exact, jnp.bfloat16), np.float64)
        assert worst(rounded, exact, getattr(bound, name)) > 20


@pytest.mark.parametrize("rows", ROWS[1:])
def test_the_unbiased_variance_exceeds_the_bounds(rows: int):
    """Dividing by N−1 is 100 times beyond the widest bounds, even at N = 40."""
    x = np.random.default_rng(rows).standard_normal((rows, COLUMNS))
    x[0], x[1] = -1, 1  # two rows that nearly agree would be an offset of many deviations
    limit = bounds.statistics(x, Accuracy.ONE_PASS)[1].allowed
    error = np.abs(x.var(axis=0, ddof=1) - oracle.statistics(x)[1])
    assert (error > 100 * limit).all()


# By hand


def test_the_mean_by_hand():
    """For 1, 3: h = 1, A = 2, so e_μ = 8u; shifting by 1 gives 6u + 4u + u = 11u, the larger."""
    x = np.array([[1.0], [3.0]])
    assert bounds.mean_error(x) == pytest.approx([11 * U])
    assert bounds.mean_error(np.array([[1.0], [1.0], [1.0]])) == pytest.approx([5 * U])


def test_the_variance_by_hand():
    """For −1, 1: e_μ = 7u, so two passes give 9u + 4·7u, updating 27u, shifting 33u + 4u."""
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
    """One update keeps m of the old error, takes 1−m of the new one, and adds 5u of the larger."""
    found = bounds.ema_error(0.75, np.array([4.0]), np.array([8.0]), [-2.0], np.array([1.0]))
    assert found == pytest.approx([0.75 * 4 + 0.25 * 8 + 10 * U])


def test_evaluation_by_hand():
    """With γ = 1, x = rm, β = 0 only the fused form errs: r·(1+ρ)·u·(2|x|+3|μ|)."""
    state = State.fresh(1).replace(running_mean=np.array([2], F), running_var=np.array([3], F))
    config = Config(features=1, eps=1.0)
    found = bounds.evaluate(config, state, np.array([[2.0]]))
    assert found.allowed == pytest.approx(np.array([[1.05 * 0.5 * 10 * U]]), rel=1e-5)


# Order


@pytest.mark.parametrize("accuracy", Accuracy)
@pytest.mark.parametrize("rows", [1, 2, 7, 33])
def test_strict_bounds_are_never_wider(rows: int, accuracy: Accuracy):
    """Every bound is positive and finite, and the strict one is at most the allowed one."""
    x = np.concatenate(inputs(rows), axis=1)
    state = parameters(x.shape[1])
    config = Config(features=x.shape[1], momentum=MOMENTUM, eps=EPS)
    found = bounds.train(config, state, x, accuracy)
    every = [getattr(found, name) for name in ("mean", "var", "y", "running_mean", "running_var")]
    for bound in (*every, bounds.evaluate(config, state, x)):
        assert np.isfinite(bound.allowed).all()
        assert (bound.strict > 0).all()
        assert (bound.strict <= bound.allowed).all()


def test_without_a_declaration_both_bounds_are_one():
    """Under ``STABLE`` the allowed bound is the strict one."""
    bound = bounds.statistics(far_from_zero(8), Accuracy.STABLE)[1]
    assert np.array_equal(bound.allowed, bound.strict)


def test_a_declaration_widens_at_large_offsets():
    """At κ ≥ 300 the one-pass bound is at least 20 times the stable one; the strict one stays."""
    x = far_from_zero(8)
    stable = bounds.statistics(x, Accuracy.STABLE)[1]
    wider = bounds.statistics(x, Accuracy.ONE_PASS)[1]
    assert (wider.allowed > 20 * stable.allowed).all()
    assert np.array_equal(wider.strict, stable.strict)


def test_a_declaration_changes_nothing_about_the_mean():
    """The bound on the mean does not depend on how the variance is computed."""
    x = far_from_zero(8)
    one, two = (bounds.statistics(x, accuracy)[0] for accuracy in Accuracy)
    assert np.array_equal(one.allowed, two.allowed)


def test_the_mean_of_one_row_is_exact():
    """At N = 1 no error of the mean is allowed, except a result flushed to zero."""
    assert np.array_equal(bounds.mean_error(np.array([[1e9, -3.0]])), [0.0, 0.0])
    mean, _ = bounds.statistics(np.array([[1e9, -3.0]]), Accuracy.STABLE)
    assert mean.allowed.max() < 1e-36


def test_more_rows_allow_more():
    """Repeating a batch never makes the bounds on its statistics tighter."""
    x = np.concatenate(inputs(5), axis=1)
    for once, twice in zip(
        bounds.statistics(x, Accuracy.STABLE),
        bounds.statistics(np.concatenate([x, x]), Accuracy.STABLE),
        strict=True,
    ):
        assert (twice.strict >= once.strict * (1 - 1e-12)).all()


def test_bounds_scale_with_the_data():
    """Doubling x doubles the bound on the mean and quadruples the one on the variance."""
    x = far_from_zero(7).astype(np.float64)
    assert bounds.mean_error(2 * x) == pytest.approx(2 * bounds.mean_error(x))
    assert bounds.variance_error(2 * x) == pytest.approx(4 * bounds.variance_error(x))


def test_bounds_of_combinations():
    """Sums, means, squares and parts of bounds are what the arithmetic of errors gives."""
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
