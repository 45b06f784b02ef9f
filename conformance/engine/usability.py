"""Whether an implementation can be driven at all; what cannot be driven is not judged.

A layer that cannot be built, called, read or written violates nearly every requirement, and none of
these violations says anything about Batch Normalization. What a faulty layer may do, such as
raising in one of its modes, is left to the requirements.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np

from conformance.adapters.operations.values import Ref
from conformance.adapters.protocols import ARRAYS, Config
from conformance.numerics.state import State
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.subject import Subject
from conformance.requirements import Capability
from conformance.requirements.finding import FindingKind

_CONFIG = Config(features=3, momentum=0.75, eps=1e-5)
_X = np.array([[1, 0, 3], [3, -1, 5], [0, 2, 2], [4, 1, -3], [2, 6, 1]], np.float32)
"""The inputs have a shape of the palette, so that nothing is compiled for this alone."""


def explain_raised(found: ViolationFound) -> str:
    """Return a violation in words, with the exception that caused it and its location."""
    if found.finding.kind is not FindingKind.RAISED:
        return str(found)
    place = "".join(f" ({place})" for place in getattr(found, "__notes__", ()))
    return f"{found.finding.quantity} raised {found.finding.got}{place}"


def reason_unusable(subject: Subject) -> str:
    """Return why nothing of an implementation can be judged, in one sentence; empty if it can be.

    Args:
        subject: The implementation.
    """
    offered = subject.implementation.capabilities
    try:
        subject.session.begin_case()
        subject.session.finish()
        if Capability.LAYER not in offered:
            return _function_problem(subject)
        recognized = subject.implementation.nnx_module
        if problem := _problem_of(partial(_build, subject), _UNBUILT if recognized else _MISMATCH):
            return problem
        layer = subject.build(_CONFIG)
        reading = _reading_problem(subject)
        return reading or _writing_problem(subject) or _calling_problem(subject, layer.ref)
    except (ViolationFound, TypeError, ValueError, KeyError):
        return ""  # which is a matter of the requirements, as are results of the wrong type


def _build(subject: Subject) -> None:
    subject.build(_CONFIG)
    subject.session.finish()


def _function_problem(subject: Subject) -> str:
    problems = [_problem_of(partial(_call_function, subject, flag)) for flag in (0.0, 1.0)]
    return problems[0] if all(problems) else ""


def _call_function(subject: Subject, flag: float) -> None:
    subject.forward(0.0, _X, flag)
    subject.session.finish()


def _reading_problem(subject: Subject) -> str:
    """Return which array cannot be read, before and after a call."""
    layer = subject.build(_CONFIG)
    kind, names = layer.ask("list_read", label="read")
    if names is None:
        return f"reading the state gives a {kind} instead of a dict of arrays"
    missing = [name for name in ARRAYS if name not in names]
    if not missing:
        return ""
    if not _problem_of(partial(_call, subject, layer.ref, False)):  # it may create arrays
        _, names = layer.ask("list_read", label="read")
    missing = [name for name in ARRAYS if name not in (names or ())]
    there = ", ".join(names or ()) or "nothing"
    return f"reading the state gives {there}, without {missing[0]}" if missing else ""


def _writing_problem(subject: Subject) -> str:
    """Return that no array can be read as (D,), or that none is read as it was written."""
    own_adapter = not subject.implementation.nnx_module
    layer = subject.build(_CONFIG)
    written = State(*(np.array([1, 3, 2], np.float32) + k for k in range(1, 5)))
    shapes = {n: array.shape for n, array in layer.state.arrays().items()}
    layer.write(written)
    after = {n: np.asarray(array) for n, array in layer.state.arrays().items()}
    wanted = (_CONFIG.features,)
    if own_adapter and all(shape != wanted for shape in shapes.values()):
        return f"gamma has shape {shapes['gamma']} where there are {_CONFIG.features} features"
    kept = (np.allclose(after[n], array) for n, array in written.arrays().items() if n in after)
    return "no array is read as it was written" if own_adapter and not any(kept) else ""


def _calling_problem(subject: Subject, layer: Ref) -> str:
    """Return why no call is possible, in either mode."""
    refusals = _REFUSAL if subject.implementation.nnx_module else _MISMATCH
    problems = [
        _problem_of(partial(_call, subject, layer, flag), refusals) for flag in (False, True)
    ]
    return problems[0] if all(problems) else ""


def _call(subject: Subject, layer: Ref, flag: bool) -> None:
    detail = f"use_running_average={flag}"
    subject.session.keep("call_live", layer, _X, flag, label="the call", detail=detail)
    subject.session.finish()


_NOT_INSTALLED = ("ImportError", "ModuleNotFoundError")
"""Exceptions of code whose framework cannot be imported, as patterns."""

_MISMATCH = ("TypeError", "AttributeError", *_NOT_INSTALLED)
"""Exceptions of code that is built or called in another way than it expects."""

_UNBUILT = ("TypeError: .*argument", "AttributeError", *_NOT_INSTALLED)
"""Exceptions of a class that is given other arguments than it takes; others are its own."""

_REFUSAL = (*_MISMATCH, "AssertionError", "ValueError")
"""Exceptions of a module that does not take the shape of its input."""


def _problem_of(action: Callable[[], object], exceptions: tuple[str, ...] = _MISMATCH) -> str:
    """Return what an action raised, if it is one of these exceptions."""
    try:
        action()
    except ViolationFound as found:
        of_these = re.match("|".join(exceptions), str(found.finding.got))
        return explain_raised(found) if of_these else ""
    return ""
