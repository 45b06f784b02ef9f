"""The oracle against exact arithmetic on rational numbers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
from hypothesis import given, settings

from conformance.adapters.protocols import Config
from conformance.numerics import oracle
from conformance.numerics.state import State
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import NEVER_FRESH, cases
from conformance.strategies.shape_grid import DEFAULT

SMALL = tuple(entry for entry in DEFAULT if entry.rows * entry.features <= 24)
_FEW = settings(max_examples=60)
_CLOSE = Fraction(1, 10**12)


def fractions(values: np.ndarray) -> list[Fraction]:
    return [Fraction(float(value)) for value in values]


def exact_statistics(column: np.ndarray) -> tuple[Fraction, Fraction]:
    """Return mean and biased variance of one column without any rounding."""
    numbers = fractions(column)
    mean = sum(numbers) / len(numbers)
    return mean, sum((number - mean) ** 2 for number in numbers) / len(numbers)


def inverse_root(value: Fraction) -> Fraction:
    """Return 1/√value to 50 digits."""
    with localcontext() as context:
        context.prec = 50
        root = (Decimal(value.numerator) / Decimal(value.denominator)).sqrt()
        return Fraction(1 / root)


def assert_close(got: float, wanted: Fraction, size: Fraction) -> None:
    """Assert an error of at most 1e-12 relative to the numbers that went in."""
    assert abs(Fraction(float(got)) - wanted) <= _CLOSE * size


def assert_outputs(got: np.ndarray, case: Case, statistics: list[tuple[Fraction, Fraction]]):
    """Assert y = γ·(x−mean)/√(var+ε) + β in every place, given exact statistics."""
    state = case.state
    for j, (mean, var) in enumerate(statistics):
        gamma, beta = Fraction(float(state.gamma[j])), Fraction(float(state.beta[j]))
        r = inverse_root(var + Fraction(case.config.eps))
        for i, x in enumerate(fractions(case.x[:, j])):
            size = abs(gamma) * r * (abs(x) + abs(mean)) + abs(beta)
            assert_close(got[i, j], gamma * (x - mean) * r + beta, size)


@_FEW
@given(case=cases(SMALL).to_hypothesis())
def test_statistics_are_exact(case: Case):
    """μ is the mean, and v is the mean squared distance from it, over axis 0."""
    mean, var = oracle.statistics(case.x)
    for j in range(case.x.shape[1]):
        wanted_mean, wanted_var = exact_statistics(case.x[:, j])
        largest = max(map(abs, fractions(case.x[:, j])))
        assert_close(mean[j], wanted_mean, largest)
        # the mean is rounded to 2⁻⁵³, which the square of its error shows at κ = 1e4
        assert_close(var[j], wanted_var, wanted_var + _CLOSE * largest**2)


@_FEW
@given(case=cases(SMALL, fresh_from=NEVER_FRESH).to_hypothesis())
def test_training_is_exact(case: Case):
    """In training y and both running statistics equal those of exact arithmetic."""
    got = oracle.train(case.config, case.state, case.x)
    statistics = [exact_statistics(column) for column in case.x.T]
    momentum = Fraction(case.config.momentum)
    for name, which in (("running_mean", 0), ("running_var", 1)):
        old = fractions(getattr(case.state, name))
        for j, pair in enumerate(statistics):
            wanted = momentum * old[j] + (1 - momentum) * pair[which]
            size = abs(old[j]) + max(map(abs, fractions(case.x[:, j]))) ** (which + 1)
            assert_close(getattr(got, name)[j], wanted, size)
    # where v ≫ ε an error of μ of 2⁻⁵³·|μ| is divided by √v, so size has |x| and |μ| in it
    assert_outputs(got.y, case, statistics)


@_FEW
@given(case=cases(SMALL, fresh_from=NEVER_FRESH).to_hypothesis())
def test_evaluation_is_exact(case: Case):
    """In evaluation y equals that of exact arithmetic for the stored statistics."""
    state = case.state
    stored = list(zip(fractions(state.running_mean), fractions(state.running_var), strict=True))
    assert_outputs(oracle.evaluate(case.config, state, case.x), case, stored)


def test_momentum_is_the_weight_of_the_old_value():
    """Momentum ¾ keeps three quarters of the old value."""
    assert oracle.ema(0.75, np.array([4.0]), np.array([8.0])) == 5.0


def test_a_case_by_hand():
    """For x = 1, 3 with ε = 3: μ = 2, v = 1, y = γ·(∓½) + β."""
    state = State.fresh(1).replace(gamma=np.array([4], np.float32), beta=np.array([10], np.float32))
    config = Config(features=1, momentum=0.5, eps=3.0)
    got = oracle.train(config, state, [[1.0], [3.0]])
    assert (got.mean, got.var) == ([2.0], [1.0])
    assert got.y.tolist() == [[8.0], [12.0]]
    assert (got.running_mean, got.running_var) == ([1.0], [1.0])


def test_results_are_float64():
    """Everything the oracle returns is float64, whatever it was given."""
    state = State.fresh(2)
    config = replace(Config(features=2), momentum=0.3)
    got = oracle.train(config, state, np.ones((3, 2), np.float16))
    values = (got.mean, got.var, got.z, got.y, got.running_mean, got.running_var)
    assert {value.dtype for value in values} == {np.dtype(np.float64)}
    assert oracle.evaluate(config, state, np.ones((3, 2), np.float32)).dtype == np.float64


def test_nothing_is_modified():
    """The oracle leaves its inputs alone."""
    x, state = np.array([[1, 2], [3, 5]], np.float32), State.fresh(2)
    before = x.copy()
    oracle.train(Config(features=2), state, x)
    assert np.array_equal(x, before)
    assert np.array_equal(state.running_mean, [0, 0])
