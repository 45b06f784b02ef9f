"""Averages that know their age: formulas, and bounds of their rounding."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.adapters.protocols import Config
from conformance.numerics import oracle
from conformance.numerics.conventions import STRICT, Conventions
from conformance.numerics.state import State
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.running_stats_model import RunningStatsModel
from conformance.requirements.deviations import Deviation

F = np.float32


def conventions_of(*deviations):
    return Conventions(frozenset(deviations))


DEBIASED = conventions_of(Deviation.ZERO_DEBIASED_STATISTICS)
FIRST = conventions_of(Deviation.FIRST_BATCH_REPLACES)
COLUMNS = 200


# The weight of a batch


@pytest.mark.parametrize("m", [0.0, 0.3, 0.9, 0.99])
def test_zero_debiased_averages_are_those_of_adam(m):
    """After t updates the average is Σ (1−m)·mᵗ⁻ʲ·b_j / (1−mᵗ)."""
    batches = np.arange(1.0, 9.0) ** 2
    average = np.array(0.0)
    for t, batch in enumerate(batches, 1):
        average = oracle.ema(DEBIASED.weight_of_old(m, t - 1), average, batch)
        weights = (1 - m) * m ** (t - np.arange(1.0, t + 1))
        wanted = (weights * batches[:t]).sum() / (1 - m**t)
        assert average == pytest.approx(wanted, rel=1e-12)


def test_the_first_batch_replaces_and_later_ones_do_not():
    """The old average keeps nothing at first, and m later; so it is for any written one."""
    kept = [FIRST.weight_of_old(0.75, count) for count in (0, 1, 7, None)]
    assert kept == [0, 0.75, 0.75, 0.75]
    assert [int(FIRST.counted(np.array(count))) for count in (0, 1)] == [1, 1]
    assert DEBIASED.weight_of_old(0.75, None) == 0.75
    assert DEBIASED.weight_of_old(0.75, 2**30) == 0.75
    assert DEBIASED.largest_momentum() < 1


def test_without_a_declaration_the_age_does_not_matter():
    """A count that is known changes nothing."""
    assert {STRICT.weight_of_old(0.75, count) for count in (0, 1, None)} == {0.75}
    assert not STRICT.counts()


# Rounding of debiased averages


def by_sums(m, batches):
    hidden, found = F(0), []
    for t, batch in enumerate(batches, 1):
        hidden = hidden * F(m) + batch * (F(1) - F(m))
        found.append(hidden / (F(1) - F(m) ** F(t)))
    return found


def by_steps(m, batches):
    average, found = F(0), []
    for t, batch in enumerate(batches, 1):
        average = average + F((1 - m) / (1 - m**t)) * (batch - average)
        found.append(average)
    return found


def late(m, batches):
    average, found = F(0), []
    for t, batch in enumerate(batches, 2):
        average = average + F((1 - m) / (1 - m**t)) * (batch - average)
        found.append(average)
    return found


def ratios(algorithm, m):
    """Return the largest error ÷ bound of the means of constant batches."""
    rng = np.random.default_rng(7)
    batches = (rng.standard_normal((60, 1, COLUMNS)) + 3).astype(F)
    fresh = State.fresh(COLUMNS).replace(count=np.array(0))
    found = []
    model = RunningStatsModel.from_state(Config(features=COLUMNS, momentum=m), fresh, DEBIASED)
    for batch, got in zip(batches, algorithm(m, batches[:, 0]), strict=True):
        model.train(batch)
        error = np.abs(got.astype(np.float64) - model.mean.value)
        found.append(float((error / (1.05 * model.mean.allowed)).max()))
    return found


@pytest.mark.parametrize("m", [0.0, 0.3, 0.75, 0.9, 0.99, 0.995])
@pytest.mark.parametrize("algorithm", [by_sums, by_steps], ids=lambda f: f.__name__)
def test_no_way_of_debiasing_exceeds_the_bound(algorithm, m):
    """In float32, by sums or by steps, over 60 updates."""
    assert max(ratios(algorithm, m)) < 1


@pytest.mark.parametrize("m", [0.3, 0.75, 0.9, 0.99])
def test_an_exponent_that_is_one_too_large_exceeds_it(m):
    """The first updates are far beyond the bound."""
    assert min(ratios(late, m)[:3]) > 100


def test_a_count_that_is_wrong_is_a_violation():
    """The number of updates that a layer says it has made is compared."""
    fresh = State.fresh(1).replace(count=np.array(0))
    model = RunningStatsModel.from_state(Config(features=1, momentum=0.75), fresh, DEBIASED)
    model.train(np.array([[3]], F))
    right = fresh.replace(running_mean=np.array([3], F), running_var=np.array([0], F))
    model.check_statistics(right.replace(count=np.array(1)))
    with pytest.raises(ViolationFound, match="count after 1 training calls"):
        model.check_statistics(right.replace(count=np.array(2)))
