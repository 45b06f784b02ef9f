"""From cases to a verdict, on tiny layers that need no framework."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from support.judging import judge_by_id
from support.numpy_norm import (
    NumpyNorm,
    OnePass,
    Refusing,
    Silent,
    SwappedMomentum,
    Unbiased,
    subject,
)

from conformance.engine import judge
from conformance.engine.garbage import ALLOCATIONS
from conformance.properties.support.subject import Subject
from conformance.requirements import REQUIREMENTS, Level, select
from conformance.requirements.deviations import Deviation
from conformance.requirements.verdict import Outcome
from impl.variants import VARIANTS

ONE_PASS = Deviation.ONE_PASS_VARIANCE


def count_numbers(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(count_numbers, value))
    return sum(map(count_numbers, value.values())) if isinstance(value, dict) else 1


# Conforming


def test_judging_leaves_the_collection_of_garbage_as_it_was():
    """A user's process collects garbage rarely while it judges, and as before afterwards."""
    before, during = gc.get_threshold(), []

    class Watched(NumpyNorm):
        def __call__(self, x: Any, use_running_average: Any) -> Any:
            during.append(gc.get_threshold())
            return super().__call__(x, use_running_average)

    judge_by_id(subject(Watched), "BN-EVAL-1")
    assert gc.get_threshold() == before
    assert set(during) == {(ALLOCATIONS, 10, 10)}


@pytest.mark.parametrize("identity", ["BN-INIT-4", "BN-AFF-1", "BN-EMA-2", "BN-EVAL-1"])
def test_a_right_layer_conforms(identity: str):
    """A conforming verdict says on how many cases and comparisons it rests, and how close."""
    verdict = judge_by_id(subject(), identity)
    assert verdict.outcome is Outcome.CONFORMS
    assert (verdict.requirement, verdict.implementation) == (identity, "NumpyNorm")
    assert (verdict.level, verdict.kind) == (Level.MUST, "Implementation object")
    assert verdict.cases == (15 if "INIT" in identity else 100)
    assert verdict.comparisons >= verdict.cases
    assert (verdict.violation, verdict.detail, verdict.rejected) == (None, "", 0)
    assert verdict.seconds > 0


def test_a_conforming_verdict_tells_how_close_it_was():
    """The worst error ÷ bound is between 0 and 1 and names its quantity."""
    verdict = judge_by_id(subject(), "BN-TRAIN-1")
    assert 0 < verdict.worst < 1
    assert verdict.worst_quantity == "y"


def test_a_conforming_verdict_says_how_small_an_error_it_sees():
    """By the number of rows, all of which are those of the cases."""
    verdict = judge_by_id(subject(), "BN-TRAIN-1")
    assert {"1", "2", "16"} <= verdict.resolution.keys()
    assert 0 < max(verdict.resolution.values()) < 1e-3


def test_a_requirement_that_sees_no_error_of_a_hundredth_is_vacuous(
    monkeypatch: pytest.MonkeyPatch,
):
    """However many numbers were compared."""
    monkeypatch.setattr(judge, "VISIBLE", 1e-12)
    verdict = judge_by_id(subject(), "BN-TRAIN-1")
    assert verdict.comparisons > 0
    assert verdict.outcome is Outcome.VACUOUS
    assert "could see an error of" in verdict.detail


def test_exact_rules_have_no_worst_error():
    """Where nothing was measured, the worst error ÷ bound is None and not 0."""
    verdict = judge_by_id(subject(), "BN-INIT-1")
    assert (verdict.worst, verdict.worst_quantity) == (None, None)


@pytest.mark.parametrize(
    "identity",
    [row.id for row in select(REQUIREMENTS, ["EMA"]) if row.needs.value == "layer"],
)
def test_a_layer_without_a_framework_can_be_judged(identity: str):
    """A plain NumPy layer conforms to every EMA requirement."""
    assert judge_by_id(subject(), identity, max_examples=25).outcome is Outcome.CONFORMS


# Violating


def test_a_swapped_momentum_violates():
    """The weight of the wrong value is found, with a counterexample of a handful of numbers."""
    verdict = judge_by_id(subject(SwappedMomentum), "BN-EMA-1")
    assert verdict.outcome is Outcome.VIOLATES
    violation = verdict.violation
    assert violation.finding.quantity == "running_mean"
    assert violation.finding.ratio > 1
    assert not violation.flaky
    assert {"x", "momentum", "eps"} <= set(violation.inputs)
    assert count_numbers(violation.inputs) <= 6


def test_a_counterexample_is_the_failing_one():
    """The inputs of a violation are literals that fail when they are judged by hand."""
    violation = judge_by_id(subject(SwappedMomentum), "BN-EMA-1").violation
    x, momentum = np.array(violation.inputs["x"]), violation.inputs["momentum"]
    old = violation.inputs.get("running_mean", [0.0])
    wanted = momentum * np.array(old) + (1 - momentum) * x.mean(axis=0)
    assert violation.finding.expected == pytest.approx(wanted[violation.finding.index])


def test_the_unbiased_variance_violates():
    """N−1 in the variance is found where it is stored and where it is used."""
    for identity in ("BN-EMA-2", "BN-TRAIN-1", "BN-TRAIN-5"):
        assert judge_by_id(subject(Unbiased), identity).outcome is Outcome.VIOLATES
    assert judge_by_id(subject(Unbiased), "BN-EMA-1").outcome is Outcome.CONFORMS


def test_verdicts_are_reproducible():
    """The same budget leads to the same counterexample, and the same finding."""
    one, two = (judge_by_id(subject(Unbiased), "BN-TRAIN-1") for _ in range(2))
    assert repr(one.violation) == repr(two.violation)  # NaN does not equal itself
    assert (one.cases, one.comparisons) == (two.cases, two.comparisons)


def test_an_exception_is_a_violation():
    """A layer that raises in a call violates, and the exception is named."""
    verdict = judge_by_id(subject(Refusing), "BN-TRAIN-1")
    assert verdict.outcome is Outcome.VIOLATES
    assert verdict.violation.finding.sentence() == (
        "the call with use_running_average=False: got RuntimeError: no can do, expected a result"
    )


def test_a_constructor_that_raises_violates():
    """An exception while building names the configuration."""

    class Picky(NumpyNorm):
        def __init__(self, _):
            msg = "eps must be tiny\nand other things"
            raise ValueError(msg)

    finding = judge_by_id(subject(Picky), "BN-INIT-1").violation.finding
    assert finding.sentence() == (
        "the constructor with momentum=0.75, eps=1e-05: got ValueError: eps must be tiny, "
        "expected a result"
    )


def test_no_result_is_a_violation():
    """A layer that returns None violates."""
    finding = judge_by_id(subject(Silent), "BN-TRAIN-1").violation.finding
    assert finding.sentence() == "y: got NoneType, expected a numeric array"


def test_missing_arrays_are_a_violation():
    """A layer that does not expose an array violates the requirements about that array."""

    class Hiding(NumpyNorm):
        def read(self):
            return {"gamma": self.arrays["gamma"]}

    finding = judge_by_id(subject(Hiding), "BN-INIT-1").violation.finding
    assert finding.sentence() == "beta: got missing, expected an array of shape (1,)"


def test_what_fails_only_once_violates_as_flaky():
    """A violation that does not come back is reported, and said to be unsteady."""
    calls = []

    class Once(NumpyNorm):
        def statistics(self, x):
            calls.append(1)
            mean, var = super().statistics(x)
            return mean + (len(calls) == 10), var

    verdict = judge_by_id(subject(Once), "BN-EMA-1")
    assert verdict.outcome is Outcome.VIOLATES
    assert verdict.violation.flaky
    assert verdict.violation.finding.quantity == "running_mean"
    assert verdict.detail == (
        "the same call did not fail each time: look for hidden state or randomness"
    )


def test_randomness_violates():
    """A layer that is wrong now and then is found, whether or not the failure repeats."""
    rng = np.random.default_rng(0)

    class Dithering(NumpyNorm):
        def statistics(self, x):
            mean, var = super().statistics(x)
            return mean + np.float32(rng.integers(2)), var

    assert judge_by_id(subject(Dithering), "BN-EMA-1").outcome is Outcome.VIOLATES


def test_inputs_are_copies():
    """A layer that writes into its input does not change the case, nor the counterexample."""

    class Writing(NumpyNorm):
        def __call__(self, x, use_running_average):
            if isinstance(x, np.ndarray):
                x += 1
            return super().__call__(x, use_running_average)

    finding = judge_by_id(subject(Writing), "BN-EMA-1").violation.finding
    assert finding.got != finding.expected
    assert judge_by_id(subject(Writing), "BN-IND-3").outcome is Outcome.VIOLATES


# Declared deviations


def test_a_declared_deviation_deviates():
    """The declared one-pass variance is within its own bound, and the verdict says so."""
    verdict = judge_by_id(subject(OnePass, {ONE_PASS}), "BN-NUM-1")
    assert verdict.outcome is Outcome.DEVIATES
    assert verdict.violation is None


def test_an_undeclared_deviation_violates():
    """Without the declaration the same layer violates the same requirement."""
    assert judge_by_id(subject(OnePass), "BN-NUM-1").outcome is Outcome.VIOLATES


def test_a_declaration_has_to_be_borne_out():
    """A layer with a false declaration violates BN-NUM-1, and only that."""
    verdict = judge_by_id(subject(NumpyNorm, {ONE_PASS}), "BN-NUM-1")
    assert verdict.outcome is Outcome.VIOLATES
    assert verdict.violation.finding.sentence() == (
        "the declared deviation ONE_PASS_VARIANCE: got results within the bound that needs no "
        "declaration, expected a deviation; remove the declaration"
    )
    assert judge_by_id(subject(NumpyNorm, {ONE_PASS}), "BN-TRAIN-1").outcome is Outcome.CONFORMS


def test_a_declaration_excuses_nothing_else():
    """With the deviation declared, an unbiased variance still violates."""
    assert judge_by_id(subject(Unbiased, {ONE_PASS}), "BN-EMA-2").outcome is Outcome.VIOLATES


def test_every_door_makes_room_for_programs(monkeypatch: pytest.MonkeyPatch):
    """Before each judgement compiled programs are dropped if they are about to fill a process."""
    requests: list[bool] = []
    monkeypatch.setattr(
        "conformance.engine.judge.unload_programs_if_many", lambda: requests.append(True)
    )
    judge_by_id(subject(NumpyNorm), "BN-EVAL-5")
    assert requests == [True]


@pytest.mark.parametrize("name", ["zero-debiased-declared", "first-batch-ema-declared"])
def test_snapshots_of_layers_that_count_are_compared(name: str):
    """What is read of such a layer has the number of its updates, at any time."""
    layer = Subject(VARIANTS[name])
    assert judge_by_id(layer, "BN-IND-3").outcome is Outcome.CONFORMS
