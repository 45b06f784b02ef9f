"""Makes a call anew, has it traced, and has values in it replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from conformance.adapters.protocols import ARRAYS
from conformance.diagnosis.approximate import Approximate, Float64, exact
from conformance.diagnosis.lines.expressions import (
    Expression,
    Place,
    read_expressions,
    read_place,
)
from conformance.diagnosis.observe import Observation
from conformance.numerics.dtypes import SPACING_AT_ZERO
from conformance.numerics.state import State
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.subject import Subject

_LABEL = "tracing a call"
_LATER = 2
"""Training calls before a later one."""

Results = Mapping[str, Approximate]
"""What a call, or a backward pass, returns: y and arrays, or gradients, by name."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A call that was traced.

    Attributes:
        call: The call; its results are those of the traced one.
        expressions: The expressions in the order of their values.
        results: What it returns, by the names of predictions.
        history: The calls before it.
    """

    call: Observation
    expressions: Sequence[Expression] = ()
    results: Results | None = None
    history: Sequence[Observation] = ()


def trace(subject: Subject, call: Observation, history: Sequence[Observation] = ()) -> Traced:
    """Make a call anew: of a layer, of its backward pass, or of a forward function.

    Args:
        subject: The implementation.
        call: The call, and the state before it.
        history: Calls of the same layer to make before.

    Returns:
        The call with its results; without expressions if JAX cannot trace it.
    """
    reported, written = _ask(subject, call, history)
    if not isinstance(reported, dict) or not reported:
        return Traced(call)
    found = read_results(reported.get("results"), call)
    arrays = {name: each.value for name, each in found.items()}
    made = replace(call, before=written, raised="")
    if call.gradients is not None:
        made = replace(made, gradients=arrays)
    elif "y" in arrays:
        after = {name: arrays.get(name, getattr(written, name, None)) for name in ARRAYS}
        state = None if written is None else written.replace(**after)
        made = replace(made, y=arrays["y"], after=state)
    return Traced(made, read_expressions(reported.get("expressions")), found, history)


def repair(
    subject: Subject, traced: Traced, attempts: Sequence[Mapping[int, Any]]
) -> list[Results]:
    """Make a call with values replaced; return its results in each attempt.

    Args:
        subject: The implementation.
        traced: The call.
        attempts: Arrays by the numbers of the values that they replace.
    """
    if not attempts:
        return []
    repairs = [[[number, array] for number, array in each.items()] for each in attempts]
    reported, _ = _ask(subject, traced.call, traced.history, repairs)
    given = reported if isinstance(reported, list) else []
    return [read_results(each, traced.call) for each in given]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A place that chose the value of a name.

    Attributes:
        place: The statement or the call.
        name: The quantity that the value should be.
        value: What the name has.
        right: What it should have.
        position: Its position among the results that a call returns, if it is one of several.
    """

    place: Place
    name: str
    value: Float64
    right: Float64
    position: int = -1


def try_names(
    subject: Subject,
    traced: Traced,
    place: Place,
    values: tuple[Float64, Float64 | None],
    others: Mapping[str, Any],
) -> list[Chosen]:
    """Make a call, and evaluate an expression in it with other values of its names.

    Args:
        subject: The implementation.
        traced: The call.
        place: The expression.
        values: What it computes, and what it should compute; see the operation.
        others: The values to try, by the names of quantities.
    """
    call = traced.call.call
    assert call is not None, "a call is traced"  # noqa: S101
    layer, _ = _prepare(subject, traced.call, traced.history)
    given = asdict(place), *values, dict(others)
    reported = layer.ask("try_names", call.x, bool(call.flag), *given, label=_LABEL)
    subject.session.finish()
    found = map(_read_chosen, reported if isinstance(reported, list) else [])
    return [each for each in found if each is not None]


def _read_chosen(reported: Any) -> Chosen | None:
    """Return what a process that is not trusted has found; None if it is something else."""
    place = read_place(reported)
    if place is None:
        return None
    name, value, right = (reported.get(each) for each in ("name", "value", "right"))
    if not (isinstance(value, np.ndarray) and isinstance(right, np.ndarray)):
        return None
    if not isinstance(name, str) or value.size != right.size or not right.size:
        return None
    position = reported.get("position")
    return Chosen(
        place,
        name,
        value.astype(np.float64),
        right.astype(np.float64),
        position if type(position) is int else -1,
    )


def trace_later(subject: Subject, call: Observation) -> Sequence[Expression]:
    """Make a call of a layer as ``trace`` does, after some training calls on the same batch."""
    assert call.call is not None, "a call is traced"  # noqa: S101
    earlier = replace(call, call=replace(call.call, flag=False))
    return trace(subject, call, [earlier] * _LATER).expressions


def _ask(
    subject: Subject,
    observation: Observation,
    history: Sequence[Observation],
    repairs: Any = None,
) -> tuple[Any, Any]:
    """Return what the operation reports, and the state before the call."""
    call = observation.call
    assert call is not None, "a call is traced"  # noqa: S101
    if observation.before is None:
        seeded = call.seed, call.x, call.flag, repairs
        reported = subject.session.ask("trace_forward", *seeded, label=_LABEL)
        subject.session.finish()
        return reported, None
    (layer, written), flag = _prepare(subject, observation, history), bool(call.flag)
    if call.cotangent is None:
        reported = layer.ask("trace_call", call.x, flag, repairs, label=_LABEL)
    else:
        given = call.x, call.cotangent, flag, repairs
        reported = layer.ask("trace_gradient", *given, label=_LABEL)
    subject.session.finish()
    return reported, written


def _prepare(
    subject: Subject, observation: Observation, history: Sequence[Observation]
) -> tuple[LayerHandle, State]:
    """Return a layer after some calls, in the state before another call, and this state."""
    assert observation.before is not None, "a layer has a state"  # noqa: S101
    layer = subject.build(observation.config, observation.before)
    for earlier in history:
        _repeat(layer, earlier)
    if history:
        layer.write(observation.before)
    if observation.call is not None and observation.call.mode is not None:
        layer.do("set_mode", observation.call.mode, label=_LABEL)
    return layer, layer.state


def _repeat(layer: LayerHandle, earlier: Observation) -> None:
    if earlier.call is not None and earlier.before is not None:
        layer.write(earlier.before)
        layer.call(earlier.call.x, bool(earlier.call.flag))


def read_results(reported: Any, call: Observation) -> Results:
    """Return the results from a process that is not trusted, by the names of predictions."""
    if not isinstance(reported, dict):
        return {}
    prefix = "" if call.gradients is None else "gradient of "
    return {
        f"{prefix}{name}": exact(array.astype(np.float64))
        for name, array in reported.items()
        if type(name) is str and isinstance(array, np.ndarray)
        if array.dtype.kind in "fiub" or array.dtype.name in SPACING_AT_ZERO
    }
