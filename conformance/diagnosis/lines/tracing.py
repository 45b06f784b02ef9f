"""Makes a call anew, and has it traced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.diagnosis.lines.expressions import Expression, read_expressions
from conformance.diagnosis.observe import Observation
from conformance.properties.support.differentiation import gradients_of
from conformance.properties.support.subject import Subject

_LABEL = "tracing a call"
_LATER = 2
"""Training calls before a later one."""


def trace(
    subject: Subject, observation: Observation, how: str = "trace"
) -> tuple[Observation, list[Expression]]:
    """Make a call anew: of a layer, of its backward pass, or of a forward function.

    Args:
        subject: The implementation.
        observation: The call, and the state before it.
        how: What to do with a backward pass: "trace", or "unstop" its gradients.

    Returns:
        What was observed, and the expressions in the order of their values; none if JAX cannot
        trace the call.
    """
    call = observation.call
    assert call is not None, "a call is traced"  # noqa: S101
    if observation.before is None:
        given = call.seed, call.x, call.flag
        reported = subject.session.ask("trace_forward", *given, label=_LABEL)
        y = subject.forward(*given)
        subject.session.finish()
        return replace(observation, y=np.asarray(y)), read_expressions(reported)
    layer, flag = subject.build(observation.config, observation.before), bool(call.flag)
    written, w = layer.state, call.cotangent
    if w is None:
        reported = layer.ask("trace_call", call.x, flag, label=_LABEL)
        y, after = layer.call(call.x, flag), layer.state
        found = replace(observation, before=written, y=np.asarray(y), after=after)
    else:
        reported = layer.ask(f"{how}_gradient", call.x, w, flag, label=_LABEL)
        pulled = gradients_of(layer, call.x, w, evaluate=flag, eager=True)
        named = {f"gradient of {name}": gradient for name, gradient in pulled.items()}
        found = replace(observation, before=written, gradients=named)
    subject.session.finish()
    return found, read_expressions(reported)


def trace_later(subject: Subject, observation: Observation) -> list[Expression]:
    """Make a call of a layer as ``trace`` does, after some training calls on the same batch.

    Args:
        subject: The implementation.
        observation: The call, and the state before it.

    Returns:
        The expressions; none if JAX cannot trace the call.
    """
    call, before = observation.call, observation.before
    assert call is not None, "a call is traced"  # noqa: S101
    assert before is not None, "it is a call of a layer"  # noqa: S101
    layer = subject.build(observation.config, before)
    for _ in range(_LATER):
        layer.call(call.x, False)
    layer.write(before)
    reported = layer.ask("trace_call", call.x, bool(call.flag), label=_LABEL)
    subject.session.finish()
    return read_expressions(reported)
