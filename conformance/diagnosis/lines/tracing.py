"""Makes a call anew, and has it traced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conformance.diagnosis.lines.expressions import Expression, read_expressions
from conformance.diagnosis.observe import Observation
from conformance.properties.support.differentiation import gradients_of
from conformance.properties.support.subject import Subject

_LABEL = "tracing a call"


def trace(subject: Subject, observation: Observation) -> tuple[Observation, list[Expression]]:
    """Make a call anew: of a layer, of its backward pass, or of a forward function.

    Args:
        subject: The implementation.
        observation: The call, and the state before it.

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
        reported = layer.ask("trace_gradient", call.x, w, flag, label=_LABEL)
        pulled = gradients_of(layer, call.x, w, evaluate=flag, eager=True)
        named = {f"gradient of {name}": gradient for name, gradient in pulled.items()}
        found = replace(observation, before=written, gradients=named)
    subject.session.finish()
    return found, read_expressions(reported)
