"""The gradients of the oracle: against rational arithmetic, and against its own differences."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from conformance.adapters.protocols import Config
from conformance.numerics import oracle
from conformance.numerics.oracle import Gradient
from conformance.numerics.state import State
from conformance.strategies.cotangents import Pulled, pulled_cases
from conformance.strategies.shape_grid import DEFAULT

SMALL = tuple(entry for entry in DEFAULT if entry.rows * entry.features <= 24)
_CLOSE = Fraction(1, 10**12)


def fractions(values: np.ndarray) -> list[Fraction]:
    return [Fraction(float(value)) for value in values]


def total(values: list[Fraction]) -> Fraction:
    return sum(values, Fraction(0))


def assert_close(got: float, wanted: Fraction, size: Fraction) -> None:
    assert abs(Fraction(float(got)) - wanted) <= _CLOSE * size


def columns(drawn: Pulled) -> list[tuple[list[Fraction], list[Fraction], Fraction]]:
    """Return x, w and γ of every feature, without rounding."""
    state = drawn.case.state or State.fresh(drawn.case.config.features)
    return [
        (fractions(x), fractions(w), Fraction(float(gamma)))
        for x, w, gamma in zip(drawn.case.x.T, drawn.w.T, state.gamma, strict=True)
    ]


@settings(max_examples=60)
@given(drawn=pulled_cases(SMALL).to_hypothesis())
def test_training_gradients_satisfy_their_definition_exactly(drawn: Pulled):
    """With r² = 1/(v+ε) rational: dx/(γ·r), dγ/r and dβ equal those of rational arithmetic."""
    case = drawn.case
    state = case.state or State.fresh(case.config.features)
    got = oracle.training_gradient(case.config, state, case.x, drawn.w)
    for j, (x, w, gamma) in enumerate(columns(drawn)):
        n = len(x)
        mean = total(x) / n
        t = [value - mean for value in x]
        var = total([value**2 for value in t]) / n
        square = 1 / (var + Fraction(case.config.eps))
        r = Fraction(float(1 / np.sqrt(float(var) + case.config.eps)))
        largest = max(map(abs, x)) * r + 1
        size = max(map(abs, w)) * largest**2 * n
        pulled = total([a * b for a, b in zip(w, t, strict=True)])
        assert_close(got.beta[j], total(w), size)
        assert_close(got.gamma[j], r * pulled, size)
        for i in range(n):
            inside = w[i] - total(w) / n - square * t[i] * pulled / n
            assert_close(got.x[i, j], gamma * r * inside, abs(gamma) * r * size)


@settings(max_examples=60)
@given(drawn=pulled_cases(SMALL).to_hypothesis())
def test_evaluation_gradients_satisfy_their_definition_exactly(drawn: Pulled):
    """dx = w·γ·r, dγ = r·Σ w·(x−rm), dβ = Σ w, with the stored statistics."""
    case = drawn.case
    state = case.state or State.fresh(case.config.features)
    got = oracle.evaluation_gradient(case.config, state, case.x, drawn.w)
    for j, (x, w, gamma) in enumerate(columns(drawn)):
        center = Fraction(float(state.running_mean[j]))
        r = Fraction(float(1 / np.sqrt(float(state.running_var[j]) + case.config.eps)))
        pulled = total([a * (b - center) for a, b in zip(w, x, strict=True)])
        size = len(x) * max(map(abs, w)) * (r * (max(map(abs, x)) + abs(center)) + 1)
        assert_close(got.beta[j], total(w), size)
        assert_close(got.gamma[j], r * pulled, size)
        for i in range(len(x)):
            assert_close(got.x[i, j], gamma * r * w[i], abs(gamma) * r * size)


def differences(
    y: Callable[[State, np.ndarray], np.ndarray], state: State, x: np.ndarray, w: np.ndarray
) -> Gradient:
    """Return the gradients of Σ w·y by central differences."""
    step = 1e-6

    def slope(moved: Callable[[float], tuple[State, np.ndarray]]) -> float:
        up, down = (float((w * y(*moved(sign * step))).sum()) for sign in (1, -1))
        return (up - down) / (2 * step)

    def along(name: str, j: int) -> Callable[[float], tuple[State, np.ndarray]]:
        array = getattr(state, name)
        unit = np.eye(len(array))[j]
        return lambda distance: (state.replace(**{name: array + distance * unit}), x)

    of_x = np.empty_like(x)
    for place in np.ndindex(x.shape):
        unit = np.zeros_like(x)
        unit[place] = 1
        of_x[place] = slope(lambda distance, unit=unit: (state, x + distance * unit))
    features = range(x.shape[1])
    return Gradient(
        gamma=np.array([slope(along("gamma", j)) for j in features]),
        beta=np.array([slope(along("beta", j)) for j in features]),
        x=of_x,
    )


@pytest.mark.parametrize("rows", [1, 2, 3, 8])
@pytest.mark.parametrize("training", [True, False])
def test_gradients_are_the_slopes_of_the_output(rows: int, training: bool):
    """Central differences of the oracle's own output agree with its closed form."""
    rng = np.random.default_rng(rows)
    x, w = rng.standard_normal((rows, 3)) * [0.1, 1, 3] + [0, 2, -1], rng.random((rows, 3))
    state = State(*rng.standard_normal((3, 3)), rng.random(3))
    config = Config(features=3, eps=0.01)

    def y(state: State, x: np.ndarray) -> np.ndarray:
        trained = oracle.train(config, state, x).y
        return trained if training else oracle.evaluate(config, state, x)

    gradient = oracle.training_gradient if training else oracle.evaluation_gradient
    got, wanted = gradient(config, state, x, w), differences(y, state, x, w)
    assert got.gamma == pytest.approx(wanted.gamma, abs=1e-7)
    assert got.beta == pytest.approx(wanted.beta, abs=1e-7)
    assert got.x == pytest.approx(wanted.x, abs=1e-7)


def test_a_gradient_by_hand():
    """For x = 1, 3, ε = 3, γ = 4, w = 1, 0: z = ∓½, dγ = −½, dβ = 1, dx = 2·(±½ ∓ ⅛)."""
    state = State.fresh(1).replace(gamma=np.array([4], np.float32))
    got = oracle.training_gradient(Config(features=1, eps=3.0), state, [[1.0], [3.0]], [[1], [0]])
    assert got.gamma.tolist() == [-0.5]
    assert got.beta.tolist() == [1.0]
    assert got.x.tolist() == [[2 * (0.5 - 0.125)], [2 * (-0.5 + 0.125)]]


def test_a_constant_cotangent_is_pulled_back_to_zero_in_training():
    """The gradient of sum(y) shows nothing: Σ y does not depend on x."""
    x = np.array([[1.0], [4.0], [7.0]])
    got = oracle.training_gradient(Config(features=1), State.fresh(1), x, np.ones((3, 1)))
    assert got.x == pytest.approx(np.zeros((3, 1)), abs=1e-15)


def test_gradients_are_float64():
    """Everything is float64, whatever it was given."""
    x = np.ones((3, 2), np.float16)
    for gradient in (oracle.training_gradient, oracle.evaluation_gradient):
        got = gradient(Config(features=2), State.fresh(2), x, x)
        assert {got.gamma.dtype, got.beta.dtype, got.x.dtype} == {np.dtype(np.float64)}
