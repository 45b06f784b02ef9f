"""What cannot be driven is refused in a sentence; what a faulty layer may do is not."""

from __future__ import annotations

from typing import Any

import pytest
from support.numpy_norm import NumpyNorm
from support.sampling import exhaustive

from conformance.adapters.implementation import Implementation
from conformance.engine.usability import reason_unusable
from conformance.properties.support.subject import Subject
from impl import reference
from impl.faulty import FAULTS
from impl.stepwise import StepwiseBatchNorm
from impl.variants import VARIANTS

MISNAMED = {
    "the constructor": {"features": "width"},
    "without gamma": {"gamma": "weight"},
    "the call": {"flag": "train"},
    "training": {"flag": ".training"},
}


@pytest.mark.parametrize("words", MISNAMED)
def test_a_wrong_name_is_not_a_violation(words: str):
    """A class that is described with a name that it does not have cannot be judged."""
    described = Implementation.nnx(StepwiseBatchNorm, **MISNAMED[words])
    assert words in reason_unusable(Subject(described))


class ReadsNothing(NumpyNorm):
    def read(self) -> Any:
        return None


class ReadsRows(NumpyNorm):
    def read(self) -> Any:
        return {name: array[None] for name, array in super().read().items()}


class WritesNothing(NumpyNorm):
    def write(self, values: Any) -> None:
        pass


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        (ReadsNothing, "reading the state gives a NoneType"),
        (ReadsRows, "gamma has shape (1, 3) where there are 3 features"),
        (WritesNothing, "no array is read as it was written"),
    ],
)
def test_a_wrong_adapter_is_not_a_violation(adapter: type, words: str):
    """An adapter that breaks its contract cannot be judged either."""
    assert words in reason_unusable(Subject(Implementation(name="adapter", build=adapter)))


def test_a_function_that_never_returns_a_result_is_refused():
    """A function of three other arguments raises in both modes."""

    def normalize(x: Any, gamma: Any, beta: Any) -> Any:
        return gamma * (x - x.mean(0)) / x.std(0) + beta

    assert "raised" in reason_unusable(Subject(Implementation(name="f", forward=normalize)))


def test_a_layer_that_raises_in_one_mode_is_judged():
    """An exception in one of the modes is a matter of the requirements."""

    class NoEvaluation(StepwiseBatchNorm):
        def evaluate(self, x: Any) -> Any:
            raise NotImplementedError

    assert reason_unusable(Subject(Implementation.nnx(NoEvaluation))) == ""


@pytest.mark.parametrize("part", [0, *(pytest.param(n, marks=exhaustive) for n in range(1, 8))])
def test_nothing_of_the_galleries_is_refused(part: int):
    """Every fault and every variant can be driven."""
    found = {name: fault.implementation for name, fault in FAULTS.items()} | VARIANTS
    chosen = list(found)[part::8]
    refused = {name: reason_unusable(Subject(found[name])) for name in chosen}
    assert {name: why for name, why in refused.items() if why} == {}
    assert reason_unusable(Subject(reference())) == ""
