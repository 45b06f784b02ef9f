"""Bounds of 16-bit inputs and outputs: against correct algorithms, and they can fail."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from support.domain_columns import COLUMNS, CONFIG, F, draw_columns, state_of, sums_of_sums
from support.sampling import exhaustive

from conformance.numerics import bounds, oracle
from conformance.numerics.bounds import Bound
from conformance.numerics.conventions import STRICT
from conformance.numerics.dtypes import LARGEST_IN_FLOAT16
from conformance.numerics.state import State
from conformance.strategies.columns import Columns


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
    columns = draw_columns(rows)
    assert output_ratio(affine, dtype, columns.x, columns) <= 1


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_16_bits_before_exceed_the_bound(dtype: str):
    """x − μ in 16 bits is not admitted."""
    columns = draw_columns(8)
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
    columns = draw_columns(rows)
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


@pytest.mark.parametrize(
    "rows",
    [pytest.param(n, marks=() if n in {2, 300} else exhaustive) for n in (1, 2, 3, 8, 40, 300)],
)
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
