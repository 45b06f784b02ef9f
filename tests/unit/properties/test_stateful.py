"""The state machine: a correct layer survives it, and a faulty one is met."""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import impl
from conformance import AdapterError, Implementation, sequence_machine
from conformance.properties.support.checks import ViolationFound
from impl.faulty import FAULTS
from impl.forward import batchnorm_forward

_SETTINGS = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
)


def test_the_reference_survives():
    """Output, states and inputs of the reference agree with the model after every step."""
    run_state_machine_as_test(sequence_machine(impl.reference()), settings=_SETTINGS)


@pytest.mark.parametrize("name", ["output-by-array-object", "third-evaluation-in-a-row"])
def test_faults_of_sequences_are_met(name: str):
    """A layer that only sequences show to be wrong fails, with the finding of BN-SEQ-1."""
    machine = sequence_machine(FAULTS[name].implementation)
    with pytest.raises(ViolationFound):
        run_state_machine_as_test(machine, settings=settings(_SETTINGS, max_examples=60))


def test_a_test_case_can_be_collected():
    """unittest and pytest collect the TestCase of the machine."""
    assert hasattr(sequence_machine("impl:reference").TestCase, "runTest")


def test_a_forward_function_has_no_sequences():
    """Without a layer there is nothing to step through, and the error says so."""
    with pytest.raises(AdapterError, match="sequences need a layer"):
        sequence_machine(Implementation(name="f", forward=batchnorm_forward))
