"""Makes a call anew, has it traced, and has values in it replaced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from conformance.adapters.protocols import ARRAYS
from conformance.diagnosis.approximate import Approximate, exact
from conformance.diagnosis.lines.expressions import Expression, read_expressions
from conformance.diagnosis.observe import Observation
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
    found = _read_results(reported.get("results"), call)
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
    return [_read_results(each, traced.call) for each in given]


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
    layer, flag = subject.build(observation.config, observation.before), bool(call.flag)
    for earlier in history:
        _repeat(layer, earlier)
    if history:
        layer.write(observation.before)
    written = layer.state
    if call.cotangent is None:
        reported = layer.ask("trace_call", call.x, flag, repairs, label=_LABEL)
    else:
        given = call.x, call.cotangent, flag, repairs
        reported = layer.ask("trace_gradient", *given, label=_LABEL)
    subject.session.finish()
    return reported, written


def _repeat(layer: LayerHandle, earlier: Observation) -> None:
    if earlier.call is not None and earlier.before is not None:
        layer.write(earlier.before)
        layer.call(earlier.call.x, bool(earlier.call.flag))


def _read_results(reported: Any, call: Observation) -> Results:
    """Return the results from a process that is not trusted, by the names of predictions."""
    if not isinstance(reported, dict):
        return {}
    prefix = "" if call.gradients is None else "gradient of "
    return {
        f"{prefix}{name}": exact(array.astype(np.float64))
        for name, array in reported.items()
        if type(name) is str and isinstance(array, np.ndarray) and array.dtype.kind in "fiub"
    }
