"""What a script defines to call a layer does what the suite does."""

from __future__ import annotations

import numpy as np
import pytest

from conformance.adapters.calling import calling_of
from conformance.report.reproducers.bundle import Bundle
from conformance.report.reproducers.driving import call_source


class Recorder:
    """Returns a number that depends on the mode, times x, for x of the right layout."""

    def __init__(self) -> None:
        self.training = True

    def __call__(self, x: np.ndarray, **flag: object) -> np.ndarray:
        training = flag.get("train", self.training)
        return x * (2.0 if training else 3.0) + np.arange(x.shape[-1])

    def learn(self) -> None:
        self.training = True

    def freeze(self) -> None:
        self.training = False

    def choose(self, *, evaluate: bool) -> None:
        self.training = not evaluate


@pytest.mark.parametrize(
    ("flag", "means"),
    [
        ("train", "training"),
        (".training", "training"),
        ("learn()/freeze()", "evaluation"),
        ("choose(evaluate)", "evaluation"),
        (None, "evaluation"),
    ],
)
@pytest.mark.parametrize(("layout", "ndim"), [("last", 2), ("last", 4), ("first", 3), ("first", 4)])
def test_a_script_calls_a_layer_as_the_suite_does(
    flag: str | None, means: str, layout: str, ndim: int
):
    """Both modes, in every layout."""
    calling, bundle = calling_of(flag, means, layout, ndim), Bundle()
    bundle.pieces.append(call_source(calling, bundle))
    defined: dict[str, object] = {"np": np}
    exec("\n".join(["from functools import cache", *bundle.pieces]), defined)
    x = np.arange(12.0).reshape(6, 2)
    for evaluates in (False, True):
        expected = calling.apply(Recorder(), x, evaluates)
        assert np.array_equal(defined["call"](Recorder(), x, evaluates), expected)
        assert expected.shape == x.shape
