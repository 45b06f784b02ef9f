"""Calling a layer with what nobody promises to take, and saying what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapters import call_hooks
from conformance.adapters.errors import describe
from conformance.adapters.protocols import STATISTICS, Config
from conformance.diagnosis.behaviours.behaviour import NotObserved
from conformance.diagnosis.sample_data import STATE
from conformance.properties.support.subject import AnyArray, LayerHandle, Subject

CONFIG = Config(features=3, momentum=0.75, eps=1e-3)
_LONGEST = 90
"""Characters of an exception that a sentence has room for."""


@dataclass(frozen=True, slots=True)
class Raised:
    """The exception that came instead of a result."""

    words: str

    def __str__(self) -> str:
        return f"raises {self.words}"


def attempt(what: str, action: Callable[[], Any]) -> Any:
    """Return what the action returns, or ``Raised``."""
    call_hooks.notify_operation(what)
    try:
        return action()
    except NotObserved:
        raise
    except BaseException as error:
        if not call_hooks.is_implementation_error(error):
            raise
        words = describe(error)
        return Raised(words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…")


def built(subject: Subject, config: Config = CONFIG) -> LayerHandle:
    """Return a layer in ``STATE``."""
    return subject.build(config, STATE)


def called(layer: LayerHandle, x: Any, flag: Any) -> AnyArray | Raised:
    """Call the layer; whatever it returns is made an array."""
    result = attempt(f"the call with use_running_average={flag!r}", lambda: layer.layer(x, flag))
    return result if isinstance(result, Raised) else np.asarray(result)


def both_modes(subject: Subject, x: Any, tell: Callable[[AnyArray, LayerHandle], str]) -> str:
    """Return what a training call and an evaluation call on x give, told once if they agree."""
    told = []
    for flag in (False, True):
        layer = built(subject)
        y = called(layer, x, flag)
        told.append(str(y) if isinstance(y, Raised) else tell(y, layer))
    training, evaluation = told
    if training == evaluation:
        return f"both modes: {training}"
    return f"training: {training}; evaluation: {evaluation}"


def statistics_now(layer: LayerHandle) -> str:
    """Return what has become of the running statistics, in words."""
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
    kind = values_of(after)
    return "updated" if kind == "finite" else kind


def values_of(y: AnyArray) -> str:
    """Return what kind of numbers an output has."""
    if not y.size:
        return "empty"
    if np.isnan(y).all():
        return "NaN"
    if np.isnan(y).any():
        return "NaN in part"
    return "infinite in part" if np.isinf(y).any() else "finite"
