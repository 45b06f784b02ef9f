"""How many cases and comparisons a verdict rests on."""

from __future__ import annotations

from support.judging import judge_by_id, judge_claim
from support.numpy_norm import NumpyNorm, subject

from conformance.engine.budget import Budget, budget
from conformance.properties.support.checks import check_same
from conformance.requirements.verdict import Outcome


def test_the_share_of_a_property_scales_its_cases():
    """A share of a tenth has a tenth of the cases, and at least one."""

    def claim(*_: object, **__: object) -> None:
        check_same("nothing", 1, 1)

    assert judge_claim(claim, share=0.1).cases == 10
    assert judge_claim(claim, share=0.001).cases == 1
    assert judge_claim(claim, chosen=budget(max_examples=3)).cases == 3


def test_a_seed_of_none_is_left_to_hypothesis():
    """Without a seed the cases are those of Hypothesis, and judging works the same."""
    assert claimed_ok(budget(seed=None, max_examples=5)) == (Outcome.CONFORMS, 5)
    assert claimed_ok(budget("thorough", seed=3, max_examples=5)) == (Outcome.CONFORMS, 5)


def claimed_ok(chosen: Budget) -> tuple[Outcome, int]:
    """Return outcome and cases of a claim that holds."""
    verdict = judge_claim(lambda *_, **__: check_same("nothing", 1, 1), chosen=chosen)
    return verdict.outcome, verdict.cases


def test_shrinking_has_an_end():
    """A layer that is always wrong is called at most about a thousand times for a verdict."""
    calls = []

    class Counting(NumpyNorm):
        def statistics(self, x):
            calls.append(1)
            mean, var = super().statistics(x)
            return mean + 1, var

    verdict = judge_by_id(subject(Counting), "BN-EMA-1")
    assert verdict.outcome is Outcome.VIOLATES
    assert len(calls) < 1000


def test_checks_of_a_claim_are_counted():
    """Comparisons of all cases add up."""

    def claim(*_: object, **__: object) -> None:
        check_same("one", 1, 1)
        check_same("two", 2, 2)

    assert judge_claim(claim, chosen=budget(max_examples=10)).comparisons == 20
