"""Calls a layer with arguments that no requirement covers, and describes the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapters.protocols import STATISTICS, Config
from conformance.numerics.state import AnyArray
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.sample_data import STATE
from conformance.properties.support.session import as_array
from conformance.properties.support.subject import Subject
from conformance.requirements.finding import FindingKind

CONFIG = Config(features=3, momentum=0.75, eps=1e-3)
_LONGEST = 90
"""The longest text of an exception, in characters, that a sentence quotes."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception that was raised instead of a result."""

    words: str

    def __str__(self) -> str:
        return f"raises {self.words}"


def attempt(action: Callable[[], Any]) -> Any:
    """Return the result of an action, or ``Raised`` if the implementation raises.

    Args:
        action: Has operations executed.
    """
    try:
        return action()
    except ViolationFound as found:
        if found.finding.kind is not FindingKind.RAISED:
            raise
        words = str(found.finding.got)
        return Raised(words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…")


def build_layer(subject: Subject, config: Config = CONFIG) -> LayerHandle:
    """Return a layer in ``STATE``."""
    layer = subject.build(config, STATE)
    subject.session.finish()  # so that what raises or hangs later is the call
    return layer


def call_layer(layer: LayerHandle, x: Any, flag: Any) -> AnyArray | Raised:
    """Call the layer and return y as an array, or the exception.

    Args:
        layer: The layer.
        x: The input, of any shape and dtype.
        flag: The flag, true to evaluate.
    """
    detail = f"use_running_average={flag!r}"
    result = attempt(lambda: layer.ask("call", x, flag, label="the call", detail=detail))
    return result if isinstance(result, Raised) else as_array("y", result)


def both_modes(
    subject: Subject, x: Any, describe_result: Callable[[AnyArray, LayerHandle], str]
) -> str:
    """Describe a training call and an evaluation call on x, in one sentence if they agree.

    Args:
        subject: The implementation.
        x: The input, of any shape and dtype.
        describe_result: Describes y, given y and the layer after the call.
    """
    answers = []
    for flag in (False, True):
        layer = build_layer(subject)
        y = call_layer(layer, x, flag)
        answers.append(str(y) if isinstance(y, Raised) else describe_result(y, layer))
    training, evaluation = answers
    if training == evaluation:
        return f"both modes: {training}"
    return f"training: {training}; evaluation: {evaluation}"


def describe_statistics(layer: LayerHandle) -> str:
    """Describe the running statistics after a call."""
    after = layer.state
    mean, var = (_condition(getattr(after, n), getattr(STATE, n)) for n in STATISTICS)
    if mean == var:
        return f"the running statistics are {mean}"
    return f"the running mean is {mean}, the running variance {var}"


def _condition(after: AnyArray, before: AnyArray) -> str:
    if after.shape != before.shape:
        return f"of shape {after.shape}"
    if np.array_equal(after, before):
        return "as before"
    kind = describe_values(after)
    return "updated" if kind == "finite" else kind


def describe_values(y: AnyArray) -> str:
    """Describe the kind of numbers in an array: "finite", "NaN in part", …"""
    if not y.size:
        return "empty"
    if np.isnan(y).all():
        return "NaN"
    if np.isnan(y).any():
        return "NaN in part"
    return "infinite in part" if np.isinf(y).any() else "finite"
