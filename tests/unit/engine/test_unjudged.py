"""Verdicts that neither conform nor violate: unsupported, vacuous, errored."""

from __future__ import annotations

import pytest
from hypothesis import reject
from support.judging import judge_by_id, judge_claim
from support.numpy_norm import implementation, subject

from conformance.adapters.errors import AdapterError
from conformance.adapters.implementation import Implementation
from conformance.engine.budget import budget
from conformance.properties.support.subject import Subject
from conformance.requirements.verdict import Outcome


def test_a_missing_capability_is_unsupported():
    """Missing capabilities are not judged, and the verdict names them."""
    verdict = judge_by_id(subject(), "BN-STATE-1")
    assert verdict.outcome is Outcome.UNSUPPORTED
    assert verdict.cases == 0
    assert verdict.detail == "needs nnx, which the implementation does not offer"
    assert judge_by_id(subject(), "BN-FWD-1").outcome is Outcome.UNSUPPORTED


def test_a_function_has_no_layer():
    """A forward function alone is judged by nothing that needs a layer."""
    forward = Subject(Implementation(name="f", forward=lambda _, x, __: x))
    assert judge_by_id(forward, "BN-EMA-1").outcome is Outcome.UNSUPPORTED
    assert judge_by_id(forward, "BN-FLAG-1").outcome is Outcome.VIOLATES


def test_an_empty_implementation_is_refused():
    """An ``Implementation`` without a layer and without a function cannot be made."""
    with pytest.raises(AdapterError) as refused:
        Implementation(name="nothing")
    assert str(refused.value) == (
        "Implementation(name='nothing') offers nothing to judge: give `build`, a function from "
        "Config to Layer, or `forward`, a function of (seed, x, flag)."
    )


def test_a_claim_that_compares_nothing_is_vacuous():
    """Cases without a comparison do not count as evidence."""
    verdict = judge_claim(lambda *_, **__: None)
    assert verdict.outcome is Outcome.VACUOUS
    assert verdict.detail == "no case was executed, or nothing was compared in any"
    assert (verdict.cases, verdict.comparisons) == (100, 0)


def test_a_claim_that_rejects_everything_is_vacuous():
    """Rejected cases are counted, and a run with only rejected cases is vacuous."""

    def claim(*_: object, **__: object) -> None:
        reject()

    verdict = judge_claim(claim, chosen=budget(max_examples=1))
    assert verdict.outcome is Outcome.VACUOUS, verdict.detail
    assert verdict.rejected == verdict.cases > 0


def test_an_error_of_the_suite_is_no_violation():
    """An exception of the property itself makes the verdict errored, with its traceback."""

    def claim(*_: object, **__: object) -> None:
        msg = "wrong shape in the suite"
        raise IndexError(msg)

    verdict = judge_claim(claim)
    assert verdict.outcome is Outcome.ERRORED
    assert verdict.violation is None
    first, *rest = verdict.detail.splitlines()
    assert first == "the suite itself failed: IndexError: wrong shape in the suite"
    assert any("test_unjudged.py" in line for line in rest)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_interrupts_go_through(error: type[BaseException]):
    """An interrupt ends the run and becomes no verdict."""

    def claim(*_: object, **__: object) -> None:
        raise error

    with pytest.raises(error):
        judge_claim(claim)


def test_capabilities_follow_from_what_is_given():
    """A layer class offers a layer; a function offers a function; both offer both."""
    both = implementation(forward=lambda _, x, __: x)
    assert {capability.value for capability in both.capabilities} == {"layer", "forward"}
