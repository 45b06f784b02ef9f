"""Bounds of float64 batches: against the decimal oracle, and they can fail."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from support.domain_columns import COLUMNS, CONFIG, F, add_rows, draw_columns, state_of

from conformance.adapters.protocols import Config
from conformance.numerics import bounds, decimal_oracle, oracle
from conformance.numerics.bounds.accuracy import U
from conformance.numerics.conventions import Conventions
from conformance.numerics.state import State
from conformance.requirements.deviations import Deviation


def doubles(rows: int) -> np.ndarray:
    columns = draw_columns(rows).x.astype(np.float64)
    return columns * (1 + np.random.default_rng(rows).uniform(-1, 1, columns.shape) * 2.0**-30)


def train64(x: np.ndarray, state: State, single: str = "") -> oracle.Training:
    """Train in float64, sequentially; ``single`` names the value rounded to float32."""

    def kept(name: str, value: np.ndarray) -> np.ndarray:
        return value.astype(F).astype(np.float64) if name == single else value

    mean = kept("mean", add_rows(x) / len(x))
    var = kept("var", add_rows(np.square(x - mean)) / len(x))
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
    x, state = doubles(rows), state_of(draw_columns(rows))
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
    x, state = doubles(5)[:, :20], state_of(draw_columns(5)).take(slice(20))
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
