"""ERR: what does not fit is refused, and nothing is lost."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from conformance.case import Case, Float32
from conformance.checks import check_true
from conformance.properties.claims import check_evaluation, check_kept
from conformance.properties.registry import requirement
from conformance.strategies.cases import cases
from conformance.strategies.palette import Entry
from conformance.subject import LiveLayer, Subject

_SEVERAL = (
    Entry(2, 2, 0.75, 1e-5),
    Entry(4, 3, 0.9, 1e-3),
    Entry(3, 5, 0.3, 0.1),
    Entry(5, 4, 0.6, 1e-6),
)
"""More than one feature: a single one broadcasts. N is D, D + 1, below D − 1, and D + 1."""


@requirement("BN-ERR-1", share=0.12, case=lambda _: cases(_SEVERAL))
def a_wrong_width_is_refused(subject: Subject, case: Case) -> None:
    """one feature too many, one too few, or twice as many: an exception, and all as before"""
    layer, before, x = subject.start(case)
    for wrong, flag in product(range(3), (False, True)):
        misfit = with_wrong_width(case.x, wrong)
        check_true(
            f"the call with x of shape {misfit.shape} on a layer of {case.x.shape[1]} features",
            refuses(layer, misfit, flag=flag),
            got="a result",
            expected="an exception",
        )
        check_kept(layer.state, before, "as before the call that raised")
    check_evaluation(layer, case, x)


@requirement("BN-ERR-2", share=0.12, case=lambda _: cases(_SEVERAL))
def a_call_that_raises_moves_nothing(subject: Subject, case: Case) -> None:
    """x of shape (N, 1), D > 1: a result, or an exception, and then all is as before"""
    for flag in (False, True):
        layer, before, x = subject.start(case)
        if refuses(layer, case.x[:, :1], flag=flag):
            check_kept(layer.state, before, "as before the call that raised")
            check_evaluation(layer, case, x)
        elif flag:
            check_kept(layer.state, before, "as before a call in evaluation")


def with_wrong_width(x: Float32, wrong: int) -> Float32:
    """Return x with D + 1, D − 1 or 2D features; never with one, which would broadcast."""
    features = x.shape[1]
    width = (features + 1, max(features - 1, 2), 2 * features)[wrong]
    if width == features:
        width = features + 1
    return x[:, np.arange(width) % features]


def refuses(layer: LiveLayer, x: Any, *, flag: bool) -> bool:
    """Tell whether the call raises; any exception is a refusal."""
    try:
        layer.layer(x, flag)
    except Exception:  # noqa: BLE001  the rule does not say which
        return True
    return False
