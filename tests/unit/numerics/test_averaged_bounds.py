"""Bounds by declared conventions: gradients through averages, and 16-bit arrays."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from conformance.adapters.protocols import Config
from conformance.numerics import bounds, oracle
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation

F = np.float32


def conventions_of(*deviations):
    return Conventions(frozenset(deviations))


DEBIASED = conventions_of(Deviation.ZERO_DEBIASED_STATISTICS)
FIRST = conventions_of(Deviation.FIRST_BATCH_REPLACES)
CONSTANTS = conventions_of(Deviation.EMA_NORMALISED_TRAINING)
THROUGH = conventions_of(Deviation.EMA_NORMALISED_TRAINING, Deviation.GRADIENT_THROUGH_STATISTICS)
ROWS, COLUMNS, EPS = 13, 200, 1e-5
CONFIG = Config(features=COLUMNS, momentum=0.75, eps=EPS)


def draw_batch(seed=3):
    rng = np.random.default_rng(seed)
    offsets = rng.choice([0, 1, -30, 1000], COLUMNS)
    x = (rng.standard_normal((ROWS, COLUMNS)) + offsets).astype(F)
    arrays = rng.standard_normal((3, COLUMNS)).astype(F)
    state = State(*arrays, rng.random(COLUMNS).astype(F) + F(0.1))
    return x, rng.standard_normal((ROWS, COLUMNS)).astype(F), state


@pytest.mark.parametrize("more", [STRICT, DEBIASED, FIRST], ids=["plain", "debiased", "first"])
@pytest.mark.parametrize("count", [None, 0, 1])
def test_the_gradient_through_averages_is_that_of_differences(count, more):
    """Central differences of Σ w·y in float64 agree, whatever the batch weighs."""
    x, w, state = draw_batch()
    state, t = state.replace(count=count), np.random.default_rng(5).standard_normal(x.shape)
    declared = conventions_of(*THROUGH.deviations, *more.deviations)

    def loss(x):
        return (w * oracle.train(CONFIG, state, x, declared).y).sum(axis=0)

    step = 1e-5
    differences = (loss(x + step * t) - loss(x - step * t)) / (2 * step)
    along = (oracle.averaged_gradient(CONFIG, state, x, w, declared).x * t).sum(axis=0)
    assert np.allclose(along, differences, rtol=1e-4, atol=1e-4 * np.abs(differences).max())


def two_pass(x):
    mean = x.sum(axis=0) / len(x)
    return mean, jnp.square(x - mean).sum(axis=0) / len(x)


def shifted(x):
    d = x - x[0]
    rest = jnp.mean(d, axis=0)
    return x[0] + rest, jnp.maximum(0.0, jnp.mean(jnp.square(d), axis=0) - jnp.square(rest))


def one_pass(x):
    mean = jnp.mean(x, axis=0)
    return mean, jnp.maximum(0.0, jnp.mean(jnp.square(x), axis=0) - jnp.square(mean))


def direct(x, mean, var, gamma, beta):
    return gamma * ((x - mean) * jax.lax.rsqrt(var + F(EPS))) + beta


def fused(x, mean, var, gamma, beta):
    scale = gamma * jax.lax.rsqrt(var + F(EPS))
    return x * scale + (beta - mean * scale)


def derived(statistics, apply, stop):
    """Return the gradients that JAX derives from an algorithm that normalises with averages."""
    kept = F(CONFIG.momentum)

    @jax.jit
    def gradients(x, w, gamma, beta, old):
        def output(gamma, beta, x):
            new = [jax.lax.stop_gradient(each) if stop else each for each in statistics(x)]
            moved = [kept * o + (1 - kept) * n for o, n in zip(old, new, strict=True)]
            return apply(x, *moved, gamma, beta)

        return jax.vjp(output, gamma, beta, x)[1](w)

    return lambda x, w, state: gradients(
        x, w, state.gamma, state.beta, (state.running_mean, state.running_var)
    )


@pytest.mark.parametrize("stop", [False, True], ids=["through", "constants"])
@pytest.mark.parametrize("apply", [direct, fused], ids=lambda f: f.__name__)
@pytest.mark.parametrize("statistics", [two_pass, shifted, one_pass], ids=lambda f: f.__name__)
def test_derivatives_stay_within_the_bounds(statistics, apply, stop):
    """Of every algorithm, applied in two ways, through the averages or not."""
    declared = CONSTANTS if stop else THROUGH
    if statistics is one_pass:
        declared = conventions_of(*declared.deviations, Deviation.ONE_PASS_VARIANCE)
    gradients = derived(statistics, apply, stop)
    for seed in range(4):
        x, w, state = draw_batch(seed)
        wanted = oracle.averaged_gradient(CONFIG, state, x, w, declared)
        bound = bounds.averaged_gradient(CONFIG, state, x, w, declared)
        got = gradients(x, w, state)
        for name, value in zip(("gamma", "beta", "x"), got, strict=True):
            error = np.abs(np.asarray(value, np.float64) - getattr(wanted, name))
            assert (error / getattr(bound, name).allowed).max() < 1, name


def test_a_gradient_of_constants_is_far_from_one_through_averages():
    """Each is beyond the bounds of the other in nearly every feature."""
    x, w, state = draw_batch()
    for declared, stop in ((THROUGH, True), (CONSTANTS, False)):
        wanted = oracle.averaged_gradient(CONFIG, state, x, w, declared).x
        bound = bounds.averaged_gradient(CONFIG, state, x, w, declared).x
        got = np.asarray(derived(two_pass, direct, stop)(x, w, state)[2], np.float64)
        assert (np.abs(got - wanted) > bound.allowed).any(axis=0).mean() > 0.9


# Other dtypes


def test_statistics_of_16_bits_have_the_room_that_they_need():
    """One update may err by 5·2⁻⁸ of the larger number, and by no more."""
    x, _, state = draw_batch()
    plain = bounds.train(CONFIG, state, x)
    narrow = bounds.train(CONFIG, state, x, conventions_of(Deviation.statistics_in("bfloat16")))
    size = np.maximum(np.abs(state.running_mean), np.abs(x.mean(axis=0)))
    more = narrow.running_mean.allowed - plain.running_mean.allowed
    assert np.allclose(more, 1.05 * 6 * size * (2.0**-8 - 2.0**-24), rtol=1e-3)
    assert np.array_equal(narrow.y.allowed, plain.y.allowed)


def test_an_output_of_16_bits_has_the_room_that_it_needs():
    """y of z, γ and β rounded to bfloat16 stays within; rounding x first does not."""
    x, _, state = draw_batch()
    state = state.replace(running_mean=x.mean(axis=0))
    declared = conventions_of(Deviation.output_in("bfloat16"))
    bound = bounds.evaluate(CONFIG, state, x, declared).allowed
    wanted = oracle.evaluate(CONFIG, state, x)

    def narrow(array):
        return jnp.asarray(array, jnp.bfloat16)

    def affine(z):
        return np.asarray(narrow(state.gamma) * narrow(z) + narrow(state.beta), np.float64)

    r = 1 / np.sqrt(state.running_var + F(EPS))
    got = affine((x - state.running_mean) * r)
    late = affine((np.asarray(narrow(x), F) - state.running_mean) * r)
    assert (np.abs(got - wanted) / bound).max() < 1
    assert (np.abs(late - wanted) > bound).any(axis=0).mean() > 0.4
