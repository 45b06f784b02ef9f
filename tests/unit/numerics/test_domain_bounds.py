"""Bounds of a wider domain: against correct algorithms in every dtype, and they can fail."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache, partial

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from conformance.adapters.protocols import Config
from conformance.numerics import bounds, decimal_oracle, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.bounds.accuracy import U
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.dtypes import LARGEST_IN_FLOAT16
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation
from conformance.strategies.columns import BLOCK, Columns, decode_columns

ONE_PASS = Conventions(frozenset({Deviation.ONE_PASS_VARIANCE}))

F = np.float32
COLUMNS = 200
SHARES = ((1, 1), (1, 5), (4, 4), (2, 0), (0, 3), (3, 3, 3, 3), (1, 7, 0, 2), (10, 1, 1, 1))
"""Rows by shard; one of them may have none."""

CONFIG = Config(features=COLUMNS, momentum=0.9, eps=1e-5)


@cache
def generated(rows: int) -> Columns:
    rng = np.random.default_rng(rows)
    return decode_columns([rng.bytes(BLOCK) for _ in range(COLUMNS)], rows, CONFIG.eps)


def state_of(columns: Columns) -> State:
    return State(columns.gamma, columns.beta, columns.running_mean, columns.running_var)


def far_from_zero(rows: int) -> np.ndarray:
    rng = np.random.default_rng(rows)
    offset = rng.choice([300, -300, 1e3, -1e4, 1e4], COLUMNS)
    return ((rng.standard_normal((rows, COLUMNS)) + offset) * 3).astype(F)


def outlying(rows: int) -> np.ndarray:
    """One shard far from the others, so the factors of the weights are large."""
    x = np.random.default_rng(rows).standard_normal((rows, COLUMNS)) * 1e-2
    x[0] += 1e3
    return x.astype(F)


def added(values: np.ndarray) -> np.ndarray:
    total = np.zeros_like(values[0]) if len(values) else np.zeros(values.shape[1], values.dtype)
    for value in values:
        total = total + value
    return total


# Shards


def cut(x: np.ndarray, shares: tuple[int, ...]) -> list[np.ndarray]:
    return np.split(x, np.cumsum(shares)[:-1])


def sums_of_sums(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    rows = F(sum(map(len, parts)))
    mean = added(np.array([added(p) for p in parts])) / rows
    return mean, added(np.array([added(np.square(p - mean)) for p in parts])) / rows


def alone(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = F(max(len(part), 1))
    mean = added(part) / rows
    return mean, added(np.square(part - mean)) / rows


def weighted(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Means of means, and variances within and between."""
    rows = sum(map(len, parts))
    weights = [F(len(p)) / F(rows) for p in parts]
    each = [alone(p) for p in parts]
    mean = added(np.array([w * m for w, (m, _) in zip(weights, each, strict=True)]))
    inner = added(np.array([w * v for w, (_, v) in zip(weights, each, strict=True)]))
    outer = [w * np.square(m - mean) for w, (m, _) in zip(weights, each, strict=True)]
    return mean, inner + added(np.array(outer))


def merged(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Chan's formula, one shard after the other."""
    count, mean, squares = 0, np.zeros(COLUMNS, F), np.zeros(COLUMNS, F)
    for part in parts:
        both = count + len(part)
        other, var = alone(part)
        delta = other - mean
        mean = mean + delta * F(len(part) / max(both, 1))
        squares = squares + var * F(len(part))
        squares = squares + np.square(delta) * F(count * len(part) / max(both, 1))
        count = both
    return mean, squares / F(count)


def square_roots_of_moments(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """One message: means of x and of x²."""
    rows = F(sum(map(len, parts)))
    mean = added(np.array([added(p) for p in parts])) / rows
    square = added(np.array([added(np.square(p)) for p in parts])) / rows
    return mean, np.maximum(square - mean * mean, F(0))


def ratios(x: np.ndarray, shares: tuple[int, ...], algorithm: Callable, conventions: Conventions):
    """Return the largest error ÷ bound of mean and variance."""
    x64 = x.astype(np.float64)
    limits = bounds.merged_statistics(x64, len(shares), conventions)
    found, truth = algorithm(cut(x, shares)), oracle.statistics(x64)
    return [
        float((np.abs(got - wanted) / limit.allowed).max())
        for got, wanted, limit in zip(found, truth, limits, strict=True)
    ]


@pytest.mark.parametrize("shares", SHARES, ids=str)
@pytest.mark.parametrize("algorithm", [sums_of_sums, weighted, merged])
def test_correct_ways_of_sharing_stay_within(algorithm: Callable, shares: tuple[int, ...]):
    """Sums, weighted means and merges, over any cut, never exceed the bound."""
    rows = sum(shares)
    for x in (generated(rows).x, far_from_zero(rows), outlying(rows)):
        assert max(ratios(x, shares, algorithm, STRICT)) <= 1


@pytest.mark.parametrize("shares", SHARES, ids=str)
def test_shared_moments_need_their_declaration(shares: tuple[int, ...]):
    """E[x²] − E[x]² stays within its own bound, and exceeds the strict one far from zero."""
    rows = sum(shares)
    for x in (generated(rows).x, far_from_zero(rows)):
        assert max(ratios(x, shares, square_roots_of_moments, ONE_PASS)) <= 1
    if rows > 2:
        x = far_from_zero(rows)
        assert max(ratios(x, shares, square_roots_of_moments, STRICT)) > 1


def test_variances_of_shards_alone_exceed_the_bound():
    """Without the variance of the means the bound is missed, so it is not too wide for that."""

    def inner(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        mean, _ = sums_of_sums(parts)
        return mean, added(np.array([alone(p)[1] for p in parts])) / F(len(parts))

    assert max(ratios(generated(8).x, (4, 4), inner, STRICT)) > 1


# 16 bits


def narrow(values: np.ndarray, dtype: str) -> np.ndarray:
    return values.astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else np.float16)


def narrow_affine(z: np.ndarray, columns: Columns, dtype: str) -> np.ndarray:
    """γ·z + β with every operand and every result rounded to 16 bits."""
    gamma, beta = narrow(columns.gamma, dtype), narrow(columns.beta, dtype)
    return (narrow(gamma * narrow(z, dtype), dtype) + beta).astype(np.float64)


def last_rounded(z: np.ndarray, columns: Columns, dtype: str) -> np.ndarray:
    """γ·z + β in float32, rounded to 16 bits at the end."""
    return narrow(columns.gamma * z + columns.beta, dtype).astype(np.float64)


def output_ratio(affine: Callable, dtype: str, x: np.ndarray, columns: Columns) -> float:
    """Return the largest error ÷ bound of y, where float16 does not overflow."""
    mean, var = sums_of_sums([x])
    z = (x - mean) / np.sqrt(var + F(CONFIG.eps))
    state = state_of(columns)
    expected = oracle.train(CONFIG, state, x)
    bound = bounds.train(CONFIG, state, x, STRICT).y
    limit = bounds.rounded_output(bound, expected.z, expected.y, state, dtype)
    where = bounds.representable(expected.z, expected.y, bound, state)
    assert where.mean() > 0.5
    with np.errstate(over="ignore", invalid="ignore"):
        error = np.abs(affine(z, columns, dtype) - expected.y)
    return float((error / limit.allowed)[where].max())


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 40])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("affine", [narrow_affine, last_rounded])
def test_16_bits_after_the_statistics_stay_within(affine: Callable, dtype: str, rows: int):
    """The affine part in 16 bits, or the last rounding alone, never exceeds the bound."""
    columns = generated(rows)
    assert output_ratio(affine, dtype, columns.x, columns) <= 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_16_bits_before_exceed_the_bound(dtype: str):
    """x − μ in 16 bits is not admitted."""
    columns = generated(8)
    x = np.where(np.abs(columns.x).max(axis=0) < LARGEST_IN_FLOAT16, columns.x, F(0))

    def early(_: np.ndarray, columns: Columns, dtype: str) -> np.ndarray:
        mean, var = sums_of_sums([x])
        centred = narrow(narrow(x, dtype) - narrow(mean, dtype), dtype).astype(F)
        return last_rounded(centred / np.sqrt(var + F(CONFIG.eps)), columns, dtype)

    assert output_ratio(early, dtype, x, columns) > 1


def test_float32_outputs_get_no_wider_bound():
    """Only a 16-bit output has roundings of 16 bits."""
    bound = Bound.of(np.ones((1, COLUMNS)))
    same = bounds.rounded_output(bound, bound.strict, bound.strict, State.fresh(COLUMNS), "float32")
    assert same is bound


def widening(x: jax.Array, gamma: jax.Array, *, times: int) -> jax.Array:
    """Train on 16 bits in float32; the input is widened once, or wherever it is used."""
    once = x.astype(F)
    first, second, third, last = (x.astype(F) if times > 1 else once for _ in range(4))
    mean = first.mean(axis=0)
    var = ((second - mean) * (third - mean)).mean(axis=0)
    return gamma * (last - mean) / jnp.sqrt(var + CONFIG.eps)


def statistics_constant(x: jax.Array, gamma: jax.Array) -> jax.Array:
    """The same, with statistics that carry no gradient."""
    wide, fixed = x.astype(F), jax.lax.stop_gradient(x.astype(F))
    return gamma * (wide - fixed.mean(axis=0)) / jnp.sqrt(fixed.var(axis=0) + CONFIG.eps)


def summed_in_16_bits(x: jax.Array, gamma: jax.Array) -> jax.Array:
    """The same, with statistics of 16 bits."""
    return gamma * (x.astype(F) - x.mean(axis=0)) / jnp.sqrt(x.var(axis=0).astype(F) + CONFIG.eps)


def narrowed_ratio(layer: Callable, dtype: str, rows: int) -> float:
    """Return the largest error ÷ bound of dx, where float16 does not overflow."""
    columns = generated(rows)
    within = np.abs(columns.x).max(axis=0) < LARGEST_IN_FLOAT16
    x = np.where(within, narrow(np.where(within, columns.x, 0), dtype).astype(F), F(0))
    w = np.random.default_rng(rows).standard_normal(x.shape).astype(F)
    state = state_of(columns)
    found = bounds.training_gradient(CONFIG, state, x, w, STRICT).x
    limit, where = bounds.narrowed_gradient(CONFIG, state, x, w, found, dtype, STRICT)
    assert where.mean() > 0.5
    _, pullback = jax.vjp(lambda x: layer(x, columns.gamma), jnp.asarray(x, dtype))
    (got,) = pullback(jnp.asarray(w))
    expected = oracle.training_gradient(CONFIG, state, x, w).x
    with np.errstate(invalid="ignore"):
        error = np.nan_to_num(np.abs(np.asarray(got, np.float64) - expected), nan=np.inf)
    return float((error / limit.allowed)[where].max())


@pytest.mark.parametrize("rows", [1, 2, 3, 8, 40, 300])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("times", [1, 4])
def test_gradients_that_meet_in_16_bits_stay_within(times: int, dtype: str, rows: int):
    """dx of an input that is widened once, or for each use, never exceeds the bound."""
    assert narrowed_ratio(partial(widening, times=times), dtype, rows) <= 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("layer", [statistics_constant, summed_in_16_bits])
def test_gradients_without_float32_exceed_the_bound(layer: Callable, dtype: str):
    """Statistics that are constants, or of 16 bits, are not admitted."""
    assert narrowed_ratio(layer, dtype, 8) > 1


# float64


def doubles(rows: int) -> np.ndarray:
    columns = generated(rows).x.astype(np.float64)
    return columns * (1 + np.random.default_rng(rows).uniform(-1, 1, columns.shape) * 2.0**-30)


def train64(x: np.ndarray, state: State, single: str = "") -> oracle.Training:
    """Train in float64, sequentially; ``single`` names the value rounded to float32."""

    def kept(name: str, value: np.ndarray) -> np.ndarray:
        return value.astype(F).astype(np.float64) if name == single else value

    mean = kept("mean", added(x) / len(x))
    var = kept("var", added(np.square(x - mean)) / len(x))
    z = (x - mean) * kept("r", 1 / np.sqrt(var + CONFIG.eps))
    m, old_mean, old_var = (
        CONFIG.momentum,
        *map(np.float64, (state.running_mean, state.running_var)),
    )
    return oracle.Training(
        mean=mean,
        var=var,
        z=z,
        y=state.gamma * z + state.beta,
        running_mean=m * old_mean + (1 - m) * mean,
        running_var=m * old_var + (1 - m) * var,
    )


def ratios64(rows: int, stored: str, single: str = "") -> dict[str, float]:
    x, state = doubles(rows), state_of(generated(rows))
    truth = decimal_oracle.train(CONFIG, state, x)
    limit = bounds.train_in_float64(CONFIG, state, x, stored)
    got = train64(x, state, single)
    return {
        name: float((np.abs(getattr(got, name) - getattr(truth, name)) / allowed.allowed).max())
        for name, allowed in (
            ("y", limit.y), ("running_mean", limit.running_mean), ("running_var", limit.running_var)
        )
    }  # fmt: skip


@pytest.mark.parametrize("rows", [1, 2, 5, 13])
@pytest.mark.parametrize("stored", ["float32", "float64"])
def test_float64_arithmetic_stays_within(rows: int, stored: str):
    """Two sequential passes in float64 never exceed the bound."""
    assert max(ratios64(rows, stored).values()) <= 1


@pytest.mark.parametrize("single", ["mean", "var", "r"])
def test_anything_in_float32_exceeds_the_bound(single: str):
    """A mean, a variance or a root of float32 is seen in y."""
    assert ratios64(5, "float64", single)["y"] > 1e4


def test_the_decimal_oracle_is_right_to_the_last_digit():
    """Its statistics are those of exact fractions, rounded once; its y is that of float64."""
    x, state = doubles(5)[:, :20], state_of(generated(5)).take(slice(20))
    config = Config(features=20, momentum=0.9, eps=1e-5)
    found = decimal_oracle.train(config, state, x)
    for column in range(20):
        values = [Fraction(value) for value in x[:, column].tolist()]
        mean = sum(values) / 5
        assert found.mean[column] == float(mean)
        assert found.var[column] == float(sum((v - mean) ** 2 for v in values) / 5)
    assert np.allclose(found.y, oracle.train(config, state, x).y, rtol=1e-4, atol=1e-4)
    evaluated = oracle.evaluate(config, state, x)
    assert np.allclose(decimal_oracle.evaluate(config, state, x), evaluated, rtol=1e-12)


def test_the_unit_roundoff_is_that_of_float32_unless_it_is_given():
    """The bound of a mean scales with u, which is 2⁻²⁴ by default."""
    x = doubles(5)
    assert np.array_equal(bounds.mean_error(x), bounds.mean_error(x, u=U))
    assert np.array_equal(bounds.mean_error(x, u=2.0**-53) * 2.0**29, bounds.mean_error(x))


def test_float32_averages_of_unbiased_variances_get_their_size():
    """For two rows v·N/(N−1) is 2v, and its rounding to float32 is relative to that."""
    x, state = doubles(2), State.fresh(COLUMNS).replace(running_var=np.zeros(COLUMNS, F))
    own = bounds.train_in_float64(CONFIG, state, x, "float32").running_var
    unbiased = Conventions(frozenset({Deviation.UNBIASED_RUNNING_VARIANCE}))
    twice = bounds.train_in_float64(CONFIG, state, x, "float32", unbiased).running_var
    assert np.allclose(twice.allowed, 2 * own.allowed, rtol=1e-6, atol=1e-36)
