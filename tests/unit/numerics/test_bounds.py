"""The error bounds, against many correct algorithms in float32."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.float32_algorithms import (
    APPLIED,
    COLUMNS,
    EPS,
    MOMENTUM,
    ROWS,
    STABLE,
    F,
    Statistics,
    far_from_zero,
    inputs,
    one_pass,
    pairwise_sum,
    parameters,
)

from conformance.adapters.protocols import Config
from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation

ONE_PASS = Conventions(frozenset({Deviation.ONE_PASS_VARIANCE}))


def worst_ratio(got: np.ndarray, wanted: np.ndarray, bound: Bound) -> float:
    return float((np.abs(np.asarray(got, np.float64) - wanted) / bound.allowed).max())


def ratios(x: np.ndarray, computed: Statistics, conventions: Conventions) -> dict[str, float]:
    """Return the largest error ÷ bound over all results of one training call."""
    state = parameters(x.shape[1])
    config = Config(features=x.shape[1], momentum=MOMENTUM, eps=EPS)
    truth = oracle.train(config, state, x)
    bound = bounds.train(config, state, x, conventions)
    mean, var = computed(x)
    r = F(1) / np.sqrt(var + F(EPS))
    found = {
        "mean": worst_ratio(mean, truth.mean, bound.mean),
        "var": worst_ratio(var, truth.var, bound.var),
    }
    for apply in APPLIED:
        y = apply(x, mean, r, state.gamma, state.beta)
        found[f"y {apply.__name__}"] = worst_ratio(y, truth.y, bound.y)
    for name, new in (("running_mean", mean), ("running_var", var)):
        old, wanted, limit = getattr(state, name), getattr(truth, name), getattr(bound, name)
        convex = F(MOMENTUM) * old + (F(1) - F(MOMENTUM)) * new
        moved = old + F(1 - MOMENTUM) * (new - old)
        back = new - F(MOMENTUM) * (new - old)
        found[name] = max(worst_ratio(each, wanted, limit) for each in (convex, moved, back))
    return found


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("computed", STABLE, ids=lambda f: f.__name__)
def test_no_stable_algorithm_exceeds_the_bounds(computed: Statistics, rows: int):
    """Statistics, outputs and running values of a stable algorithm stay below the bounds."""
    for x in inputs(rows):
        found = ratios(x, computed, STRICT)
        assert max(found.values()) < 1, found


@pytest.mark.parametrize("rows", ROWS)
def test_one_pass_stays_within_its_own_bounds(rows: int):
    """The one-pass variance stays below the bounds that a declaration of it admits."""
    for x in inputs(rows):
        found = ratios(x, one_pass, ONE_PASS)
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
        found = ratios(x, computed, STRICT)
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
            assert worst_ratio(y, wanted, bound) < 1


# The bounds see mistakes


@pytest.mark.parametrize("rows", [5, 8, 17])
def test_one_pass_exceeds_the_strict_bound(rows: int):
    """At κ ≥ 300 a one-pass variance is beyond the strict bound in most columns."""
    x = far_from_zero(rows)
    _, var = one_pass(x)
    limit = bounds.statistics(x, ONE_PASS)[1]
    beyond = np.abs(var - oracle.statistics(x)[1]) > limit.strict
    assert beyond.mean() > 0.5


@pytest.mark.parametrize("rows", [5, 8, 33])
def test_half_precision_exceeds_the_bounds(rows: int):
    """Outputs or statistics rounded to bfloat16 are beyond the bounds by far."""
    x = np.random.default_rng(rows).standard_normal((rows, COLUMNS)).astype(F)
    state, config = State.fresh(COLUMNS), Config(features=COLUMNS, eps=EPS)
    truth = oracle.train(config, state, x)
    bound = bounds.train(config, state, x, ONE_PASS)
    for name in ("y", "mean", "var", "running_var"):
        exact = getattr(truth, name)
        rounded = np.asarray(jnp.asarray(exact, jnp.bfloat16), np.float64)
        assert worst_ratio(rounded, exact, getattr(bound, name)) > 20


@pytest.mark.parametrize("rows", ROWS[1:])
def test_the_unbiased_variance_exceeds_the_bounds(rows: int):
    """Dividing by N−1 is 100 times beyond the widest bounds, even at N = 40."""
    x = np.random.default_rng(rows).standard_normal((rows, COLUMNS))
    x[0], x[1] = -1, 1  # two rows that nearly agree would be an offset of many deviations
    limit = bounds.statistics(x, ONE_PASS)[1].allowed
    error = np.abs(x.var(axis=0, ddof=1) - oracle.statistics(x)[1])
    assert (error > 100 * limit).all()
