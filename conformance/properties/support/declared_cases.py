"""Adapts drawn cases to declared deviations: dtypes, single rows, momentum 1, and overflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from hypothesis import reject

from conformance.adapters.protocols import Config
from conformance.numerics.conventions import Conventions
from conformance.numerics.dtypes import LARGEST_IN_FLOAT16
from conformance.numerics.state import State
from conformance.properties.support.checks import check_true
from conformance.properties.support.claims import check_kept
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.subject import Subject
from conformance.requirements.deviations import Deviation
from conformance.strategies.case import Case
from conformance.strategies.shape_grid import Entry


def as_stored(drawn: dict[str, Any], conventions: Conventions) -> dict[str, Any]:
    """Return drawn values whose states have arrays of the declared dtypes.

    So writing loses nothing, and what is read back can be compared bit for bit. Features whose
    statistics may overflow in float16 are replaced by zeros.

    Args:
        drawn: The arguments of the property, as drawn.
        conventions: The conventions that the implementation declares.
    """
    dtypes = {n: d for n, d in conventions.stored_dtypes().items() if d != "float32"}
    if not dtypes:
        return drawn

    limited = conventions.statistics_dtype() == "float16"

    def cast(value: Any) -> Any:
        if limited and isinstance(value, np.ndarray):
            return _without_overflow(value)
        if not isinstance(value, State):
            return value
        value = _limit(value) if limited else value
        arrays = {name: getattr(value, name).astype(np.dtype(d)) for name, d in dtypes.items()}
        return value.replace(**arrays)

    return {name: _map(value, cast) for name, value in drawn.items()}


def by_design(drawn: dict[str, Any], conventions: Conventions) -> dict[str, Any]:
    """Return drawn values with what the implementation fixes or lacks by design.

    A fixed momentum or ε replaces the drawn one; arrays that the layer does not have are those of a
    fresh layer, which have no effect.

    Args:
        drawn: The arguments of the property, as drawn.
        conventions: The conventions that the implementation declares.
    """
    design = conventions.design
    if not design.fixed and not design.absent:
        return drawn

    def adapt(value: Any) -> Any:
        if isinstance(value, Config):
            return design.configured(value)
        if isinstance(value, Entry):
            config = design.configured(value.config)
            return replace(value, momentum=config.momentum, eps=config.eps)
        if not isinstance(value, State):
            return value
        fresh = State.fresh(len(value.gamma))
        return value.replace(**{name: getattr(fresh, name) for name in design.absent})

    return {name: _map(value, adapt) for name, value in drawn.items()}


def _map(value: Any, function: Callable[[Any], Any]) -> Any:
    """Return a value with a function applied to everything that it is made of."""
    value = function(value)
    if isinstance(value, State | Config | Entry):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        inside = {field.name: getattr(value, field.name) for field in fields(value)}
        return replace(value, **{name: _map(each, function) for name, each in inside.items()})
    if isinstance(value, tuple):
        parts = [_map(each, function) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    if isinstance(value, list):
        return [_map(each, function) for each in value]
    return value


def settle(subject: Subject, drawn: Mapping[str, Any]) -> bool:
    """Judge the refusal itself on a case with a single row, if it is declared.

    A sequence in which some batch has a single row is rejected, and so is momentum 1 where it
    would divide by 1 − 1ᵗ.

    Args:
        subject: The implementation.
        drawn: The arguments of the property, as drawn.

    Returns:
        Whether the case is settled; if not, its claim has to be judged.

    Raises:
        UnsatisfiedAssumption: The case is rejected.
    """
    if subject.conventions.largest_momentum() < 1 and has_momentum_one(drawn):
        reject()
    if not subject.conventions.follows(Deviation.SINGLE_ROW_REFUSED) or not has_single_row(drawn):
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
    """Return whether a drawn value contains a batch of one row."""
    arrays = (value for value in _parts(drawn) if isinstance(value, np.ndarray))
    return any(array.ndim == 2 and array.shape[0] == 1 for array in arrays)


def has_momentum_one(drawn: Any) -> bool:
    """Return whether a drawn value contains a layer with momentum 1."""
    return any(isinstance(value, Config) and value.momentum == 1 for value in _parts(drawn))


def _without_overflow(value: Any) -> Any:
    """Return a batch, (N, D), with zeros for features whose statistics may exceed float16."""
    if value.dtype.kind != "f" or value.ndim != 2 or not value.size:
        return value
    with np.errstate(all="ignore"):
        largest = np.maximum(np.abs(value).max(axis=0), (2 * value.std(axis=0)) ** 2)
    return np.where(largest <= LARGEST_IN_FLOAT16, value, np.zeros_like(value))


def _limit(state: State) -> State:
    """Return a state with running statistics that float16 can hold, with a margin."""
    largest = LARGEST_IN_FLOAT16
    mean, var = (np.clip(a, -largest, largest) for a in (state.running_mean, state.running_var))
    return state.replace(running_mean=mean, running_var=var)


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


def refuses(layer: LayerHandle, x: Any, *, flag: bool) -> bool:
    """Return whether the call raises; any exception is a refusal."""
    refused: bool = layer.ask("refuses", x, flag, label="the call")
    return refused
