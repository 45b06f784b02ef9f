"""What declared deviations make of a case: the refusal of single rows, and no momentum 1."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from hypothesis import reject

from conformance import conventions
from conformance.case import Case
from conformance.checks import check_true
from conformance.implementation import Config, Deviation
from conformance.properties.claims import check_kept
from conformance.properties.refusals import refuses
from conformance.subject import Subject


def settled(subject: Subject, drawn: Mapping[str, Any]) -> bool:
    """Judge the refusal itself on a case with a single row, if it is declared.

    A sequence in which some batch has a single row is rejected, and so is momentum 1 where it
    would divide by 1 − 1ᵗ.

    Returns True if the case is settled, and False if its claim has to be judged. Raises what
    Hypothesis raises for a rejected case.
    """
    if conventions.largest_momentum() < 1 and has_momentum_one(drawn):
        reject()
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


def has_single_row(drawn: Any) -> bool:
    """Tell whether a batch of one row is anywhere in what was drawn."""
    arrays = (value for value in _parts(drawn) if isinstance(value, np.ndarray))
    return any(array.ndim == 2 and array.shape[0] == 1 for array in arrays)


def has_momentum_one(drawn: Any) -> bool:
    """Tell whether a layer with momentum 1 is anywhere in what was drawn."""
    return any(isinstance(value, Config) and value.momentum == 1 for value in _parts(drawn))


def _parts(value: Any) -> Iterator[Any]:
    """Yield a drawn value and everything that it is made of."""
    yield value
    inside: Iterable[Any] = ()
    if is_dataclass(value):
        inside = (getattr(value, field.name) for field in fields(value))
    elif isinstance(value, Mapping):
        inside = value.values()
    elif isinstance(value, list | tuple):
        inside = value
    for each in inside:
        yield from _parts(each)
