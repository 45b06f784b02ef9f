"""How constants are solved for, and how long something is looked for."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from conformance.diagnosis.constants import _roots
from conformance.diagnosis.deadline import OutOfTimeError, check_time, looking_for, looking_until

DECADES = [10.0**k for k in range(-14, 10)]


@pytest.mark.parametrize(
    ("function", "constant"),
    [
        pytest.param(lambda c: 3 * c + 1, 0.9, id="linear"),
        pytest.param(lambda c: 2 / np.sqrt(0.25 + c), 1e-5, id="rsqrt"),
        pytest.param(lambda c: c / (c + 1e-3), 20.0, id="rational"),
        pytest.param(lambda c: c**3, 0.03, id="cubic"),
        pytest.param(lambda c: max(c, 1e-2), 0.5, id="floor"),
    ],
)
def test_a_constant_is_solved_for_in_few_predictions(
    function: Callable[[float], float], constant: float
):
    """To the digits of a float32 at least; each prediction is a call of the model."""
    tried: list[float] = []

    def predict(c: float) -> float:
        tried.append(c)
        return function(c)

    (found,) = _roots(predict, function(constant), DECADES)
    assert found == pytest.approx(constant, rel=1e-9)
    assert len(tried) < len(DECADES) + 20


def test_a_jump_has_a_constant_as_well():
    """It is where the prediction passes the observed number."""
    (found,) = _roots(lambda c: float(c > 0.3), 0.5, DECADES)
    assert found == pytest.approx(0.3)


def test_an_undefined_prediction_ends_no_search():
    """A bracket with a gap in it is halved until it has none."""
    (found,) = _roots(lambda c: c if c < 0.5 or c > 0.9 else float("nan"), 0.2, [0.1, 1.0])
    assert found == pytest.approx(0.2)


def test_a_search_of_some_seconds_ends_alone():
    """What is around it goes on, unless its own time is up."""
    with looking_for(-1):
        check_time()
        pytest.fail("there was no time")
    with pytest.raises(OutOfTimeError), looking_until(time.time() - 1), looking_for(60):
        check_time()
