"""From cases to a verdict, on tiny layers that need no framework."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import reject
from numpy_norm import (
    NumpyNorm,
    OnePass,
    Refusing,
    Silent,
    SwappedMomentum,
    Unbiased,
    implementation,
    subject,
)

from conformance.checks import check_same
from conformance.implementation import AdapterError, Deviation, Implementation
from conformance.judging import Trial, judge, judge_requirement
from conformance.profiles import Budget, budget
from conformance.properties import Property
from conformance.requirements import REQUIREMENTS
from conformance.strategies.cases import cases
from conformance.subject import Subject
from conformance.verdict import Outcome, Verdict

ONE_PASS = Deviation.ONE_PASS_VARIANCE


def judged(subject: Subject, identity: str, **rest: Any) -> Verdict:
    return judge_requirement(REQUIREMENTS[identity], subject, budget(**rest))


def claimed(claim: Any, *, share: float = 1.0, chosen: Budget | None = None) -> Verdict:
    """Return the verdict of a claim of our own, in the place of BN-EMA-1."""
    prop = Property(REQUIREMENTS["BN-EMA-1"], claim, {"case": cases}, share, ())
    return judge(Trial(prop, subject(), chosen or budget()))


def numbers(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(numbers, value))
    return sum(map(numbers, value.values())) if isinstance(value, dict) else 1


# Conforming


@pytest.mark.parametrize("identity", ["BN-INIT-4", "BN-AFF-1", "BN-EMA-2", "BN-EVAL-1"])
def test_a_right_layer_conforms(identity: str):
    """A conforming verdict says on how many cases and comparisons it rests, and how close."""
    verdict = judged(subject(), identity)
    assert verdict.outcome is Outcome.CONFORMS
    assert (verdict.requirement, verdict.implementation) == (identity, "NumpyNorm")
    assert (verdict.level, verdict.kind) == ("must", "Implementation object")
    assert verdict.cases == (15 if "INIT" in identity else 100)
    assert verdict.comparisons >= verdict.cases
    assert (verdict.violation, verdict.detail, verdict.rejected) == (None, "", 0)
    assert verdict.seconds > 0


def test_a_conforming_verdict_tells_how_close_it_was():
    """The worst error ÷ bound is between 0 and 1 and names its quantity."""
    verdict = judged(subject(), "BN-TRAIN-1")
    assert 0 < verdict.worst < 1
    assert verdict.worst_quantity == "y"


def test_exact_rules_have_no_worst_error():
    """Where nothing was measured, the worst error ÷ bound is None and not 0."""
    verdict = judged(subject(), "BN-INIT-1")
    assert (verdict.worst, verdict.worst_quantity) == (None, None)


@pytest.mark.parametrize(
    "identity",
    [name for name, row in REQUIREMENTS.items() if row.needs.value == "layer" and "EMA" in name],
)
def test_a_layer_without_a_framework_can_be_judged(identity: str):
    """A plain NumPy layer conforms to every EMA requirement."""
    assert judged(subject(), identity, max_examples=25).outcome is Outcome.CONFORMS


# Violating


def test_a_swapped_momentum_violates():
    """The weight of the wrong value is found, with a counterexample of a handful of numbers."""
    verdict = judged(subject(SwappedMomentum), "BN-EMA-1")
    assert verdict.outcome is Outcome.VIOLATES
    violation = verdict.violation
    assert violation.finding.quantity == "running_mean"
    assert violation.finding.ratio > 1
    assert not violation.flaky
    assert {"x", "momentum", "eps"} <= set(violation.inputs)
    assert numbers(violation.inputs) <= 6


def test_a_counterexample_is_the_failing_one():
    """The inputs of a violation are literals that fail when they are judged by hand."""
    violation = judged(subject(SwappedMomentum), "BN-EMA-1").violation
    x, momentum = np.array(violation.inputs["x"]), violation.inputs["momentum"]
    old = violation.inputs.get("running_mean", [0.0])
    wanted = momentum * np.array(old) + (1 - momentum) * x.mean(axis=0)
    assert violation.finding.expected == pytest.approx(wanted[violation.finding.index])


def test_the_unbiased_variance_violates():
    """N−1 in the variance is found where it is stored and where it is used."""
    for identity in ("BN-EMA-2", "BN-TRAIN-1", "BN-TRAIN-5"):
        assert judged(subject(Unbiased), identity).outcome is Outcome.VIOLATES
    assert judged(subject(Unbiased), "BN-EMA-1").outcome is Outcome.CONFORMS


def test_verdicts_are_reproducible():
    """The same budget leads to the same counterexample, and the same finding."""
    one, two = (judged(subject(Unbiased), "BN-TRAIN-1") for _ in range(2))
    assert one.violation == two.violation
    assert (one.cases, one.comparisons) == (two.cases, two.comparisons)


def test_an_exception_is_a_violation():
    """A layer that raises in a call violates, and the exception is named."""
    verdict = judged(subject(Refusing), "BN-TRAIN-1")
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

    finding = judged(subject(Picky), "BN-INIT-1").violation.finding
    assert finding.sentence() == (
        "the constructor with momentum=0.75, eps=1e-05: got ValueError: eps must be tiny, "
        "expected a result"
    )


def test_no_result_is_a_violation():
    """A layer that returns None violates."""
    finding = judged(subject(Silent), "BN-TRAIN-1").violation.finding
    assert finding.sentence() == "y: got NoneType, expected a numeric array"


def test_missing_arrays_are_a_violation():
    """A layer that does not show an array violates what is said about it."""

    class Hiding(NumpyNorm):
        def read(self):
            return {"gamma": self.arrays["gamma"]}

    finding = judged(subject(Hiding), "BN-INIT-1").violation.finding
    assert finding.sentence() == "beta: got missing, expected an array of shape (1,)"


def test_what_fails_only_once_violates_as_flaky():
    """A violation that does not come back is reported, and said to be unsteady."""
    calls = []

    class Once(NumpyNorm):
        def statistics(self, x):
            calls.append(1)
            mean, var = super().statistics(x)
            return mean + (len(calls) == 10), var

    verdict = judged(subject(Once), "BN-EMA-1")
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

    assert judged(subject(Dithering), "BN-EMA-1").outcome is Outcome.VIOLATES


# Neither


def test_a_missing_capability_is_unsupported():
    """What an implementation does not offer is not judged, and the verdict says what it is."""
    verdict = judged(subject(), "BN-STATE-1")
    assert verdict.outcome is Outcome.UNSUPPORTED
    assert verdict.cases == 0
    assert verdict.detail == "needs nnx, which the implementation does not offer"
    assert judged(subject(), "BN-FWD-1").outcome is Outcome.UNSUPPORTED


def test_a_function_has_no_layer():
    """A forward function alone is judged by nothing that needs a layer."""
    forward = Subject(Implementation(name="f", forward=lambda _, x, __: x))
    assert judged(forward, "BN-EMA-1").outcome is Outcome.UNSUPPORTED
    assert judged(forward, "BN-FLAG-1").outcome is Outcome.VIOLATES


def test_an_empty_implementation_is_refused():
    """An ``Implementation`` without a layer and without a function cannot be made."""
    with pytest.raises(AdapterError) as refused:
        Implementation(name="nothing")
    assert str(refused.value) == (
        "Implementation(name='nothing') offers nothing to judge: give `build`, a function from "
        "Config to Layer, or `forward`, a function of (seed, x, flag)."
    )


def test_a_claim_that_compares_nothing_is_vacuous():
    """Cases without a comparison are no evidence."""
    verdict = claimed(lambda *_, **__: None)
    assert verdict.outcome is Outcome.VACUOUS
    assert verdict.detail == "no case was executed, or nothing was compared in any"
    assert (verdict.cases, verdict.comparisons) == (100, 0)


def test_a_claim_that_rejects_everything_is_vacuous():
    """Rejected cases are counted, and a run of nothing else is no evidence."""

    def claim(*_: object, **__: object) -> None:
        reject()

    verdict = claimed(claim)
    assert verdict.outcome is Outcome.VACUOUS, verdict.detail
    assert verdict.rejected == verdict.cases > 0


def test_an_error_of_the_suite_is_no_violation():
    """An exception of the property itself makes the verdict errored, with its traceback."""

    def claim(*_: object, **__: object) -> None:
        msg = "wrong shape in the suite"
        raise IndexError(msg)

    verdict = claimed(claim)
    assert verdict.outcome is Outcome.ERRORED
    assert verdict.violation is None
    first, *rest = verdict.detail.splitlines()
    assert first == "the suite itself failed: IndexError: wrong shape in the suite"
    assert any("test_judging.py" in line for line in rest)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interrupts_go_through(error: type[BaseException]):
    """An interrupt ends the run and becomes no verdict."""

    def claim(*_: object, **__: object) -> None:
        raise error

    with pytest.raises(error):
        claimed(claim)


# Declared deviations


def test_a_declared_deviation_deviates():
    """The declared one-pass variance is within its own bound, and the verdict says so."""
    verdict = judged(subject(OnePass, {ONE_PASS}), "BN-NUM-1")
    assert verdict.outcome is Outcome.DEVIATES
    assert verdict.violation is None


def test_an_undeclared_deviation_violates():
    """Without the declaration the same layer violates the same requirement."""
    assert judged(subject(OnePass), "BN-NUM-1").outcome is Outcome.VIOLATES


def test_a_declaration_has_to_be_borne_out():
    """A layer that declares what it does not do violates BN-NUM-1, and only that."""
    verdict = judged(subject(NumpyNorm, {ONE_PASS}), "BN-NUM-1")
    assert verdict.outcome is Outcome.VIOLATES
    assert verdict.violation.finding.sentence() == (
        "the declared deviation ONE_PASS_VARIANCE: got results within the bound that needs no "
        "declaration, expected a deviation; remove the declaration"
    )
    assert judged(subject(NumpyNorm, {ONE_PASS}), "BN-TRAIN-1").outcome is Outcome.CONFORMS


def test_a_declaration_excuses_nothing_else():
    """With the deviation declared, an unbiased variance still violates."""
    assert judged(subject(Unbiased, {ONE_PASS}), "BN-EMA-2").outcome is Outcome.VIOLATES


# Budgets


def test_the_share_of_a_property_scales_its_cases():
    """A share of a tenth has a tenth of the cases, and at least one."""

    def claim(*_: object, **__: object) -> None:
        check_same("nothing", 1, 1)

    assert claimed(claim, share=0.1).cases == 10
    assert claimed(claim, share=0.001).cases == 1
    assert claimed(claim, chosen=budget(max_examples=3)).cases == 3


def test_a_seed_of_none_is_left_to_hypothesis():
    """Without a seed the cases are those of Hypothesis, and judging works the same."""
    assert claimed_ok(budget(seed=None, max_examples=5)) == (Outcome.CONFORMS, 5)
    assert claimed_ok(budget("thorough", seed=3, max_examples=5)) == (Outcome.CONFORMS, 5)


def claimed_ok(chosen: Budget) -> tuple[Outcome, int]:
    """Return outcome and cases of a claim that holds."""
    verdict = claimed(lambda *_, **__: check_same("nothing", 1, 1), chosen=chosen)
    return verdict.outcome, verdict.cases


def test_shrinking_has_an_end():
    """A layer that is always wrong is called at most about a thousand times for a verdict."""
    calls = []

    class Counting(NumpyNorm):
        def statistics(self, x):
            calls.append(1)
            mean, var = super().statistics(x)
            return mean + 1, var

    verdict = judged(subject(Counting), "BN-EMA-1")
    assert verdict.outcome is Outcome.VIOLATES
    assert len(calls) < 1000


def test_inputs_are_copies():
    """A layer that writes into its input does not change the case, nor the counterexample."""

    class Writing(NumpyNorm):
        def __call__(self, x, use_running_average):
            if isinstance(x, np.ndarray):
                x += 1
            return super().__call__(x, use_running_average)

    finding = judged(subject(Writing), "BN-EMA-1").violation.finding
    assert finding.got != finding.expected
    assert judged(subject(Writing), "BN-IND-3").outcome is Outcome.VIOLATES


def test_checks_of_a_claim_are_counted():
    """Comparisons of all cases add up."""

    def claim(*_: object, **__: object) -> None:
        check_same("one", 1, 1)
        check_same("two", 2, 2)

    assert claimed(claim, chosen=budget(max_examples=10)).comparisons == 20


def test_capabilities_follow_from_what_is_given():
    """A layer class offers a layer; a function offers a function; both offer both."""
    both = implementation(forward=lambda _, x, __: x)
    assert {capability.value for capability in both.capabilities} == {"layer", "forward"}
