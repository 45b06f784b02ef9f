"""What a script defines to call a layer does what the suite does."""

from __future__ import annotations

import numpy as np
import pytest
from support.mode_recorder import ModeRecorder

from conformance.adapters.calling import Calling, calling_of
from conformance.report.reproducers.bundle import Bundle
from conformance.report.reproducers.driving import call_source


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
    check_script(calling_of(flag, means, layout, ndim))


@pytest.mark.parametrize("flag", ["mode", ".phase", "enter(phase)"])
def test_a_script_chooses_the_mode_by_a_word(flag: str):
    """An argument, an attribute, or that of a method."""
    check_script(calling_of(flag, "evaluation", "last", 2, ("fit", "predict")))


def check_script(calling: Calling) -> None:
    bundle = Bundle()
    bundle.pieces.append(call_source(calling, bundle))
    defined: dict[str, object] = {"np": np}
    exec("\n".join(["from functools import cache", *bundle.pieces]), defined)
    x = np.arange(12.0).reshape(6, 2)
    for evaluates in (False, True):
        expected = calling.apply(ModeRecorder(), x, evaluates)
        assert np.array_equal(defined["call"](ModeRecorder(), x, evaluates), expected)
        assert expected.shape == x.shape
