"""What the declared refusal of single rows makes of a case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from hypothesis import reject

from conformance import conventions
from conformance.case import Case
from conformance.checks import check_true
from conformance.implementation import Deviation
from conformance.properties.claims import check_kept
from conformance.properties.refusals import refuses
from conformance.subject import Subject


def settled(subject: Subject, drawn: Mapping[str, Any]) -> bool:
    """Judge the refusal itself on a case with a single row, if it is declared.

    A sequence in which some batch has a single row is rejected.

    Returns True if the case is settled, and False if its claim has to be judged. Raises what
    Hypothesis raises for a rejected case.
    """
    if not conventions.follows(Deviation.SINGLE_ROW_REFUSED) or not has_single_row(drawn):
        return False
    case = next(filter(None, map(_single_row_case, drawn.values())), None)
    if case is None:
        reject()
    layer, before, x = subject.start(case)
    check_true(
        "a training call on a single row",
        refuses(layer, x, flag=False),
        got="a result",
        expected="an exception, as declared",
    )
    check_kept(layer.state, before, "as before the call that raised")
    return True


def _single_row_case(drawn: Any) -> Case | None:
    """Return the case that was drawn, by itself or with something else, if it has one row."""
    case = getattr(drawn, "case", drawn)
    return case if isinstance(case, Case) and len(case.x) == 1 else None


def has_single_row(value: Any) -> bool:
    """Tell whether a batch of one row is anywhere in what was drawn."""
    if isinstance(value, np.ndarray):
        return value.ndim == 2 and value.shape[0] == 1
    if is_dataclass(value):
        return any(has_single_row(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return any(has_single_row(each) for each in value.values())
    return isinstance(value, list | tuple) and any(has_single_row(each) for each in value)
