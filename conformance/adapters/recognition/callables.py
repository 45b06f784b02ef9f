"""Recognizes functions by their parameters: makers, forward functions and pure functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from conformance.adapters.errors import AdapterError, describe, wrap_errors
from conformance.adapters.implementation import Implementation
from conformance.adapters.recognition.names import SEEDS
from conformance.adapters.synonyms import (
    INPUT_NAMES,
    argument_role_of,
    normalize,
    trains_if_true,
)

GUIDE = "docs/writing-an-adapter.md shows a complete example."


def read_parameters(name: str, found: Callable[..., Any]) -> inspect.Signature:
    """Return the signature of a function.

    Raises:
        AdapterError: It cannot be read.
    """
    with wrap_errors(f"the signature of {name}", "cannot be read"):
        return inspect.signature(found)


def takes_nothing(signature: inspect.Signature) -> bool:
    """Whether a function can be called without arguments."""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = signature.parameters.values()
    return not any(p.default is p.empty and p.kind not in variable for p in parameters)


def makes_modules(signature: inspect.Signature) -> bool:
    """Whether a function has the parameters of a constructor: a width, and no input."""
    names = list(signature.parameters)
    known = [each for each in names if argument_role_of(each) == "features"]
    widths = [each for each in known if len(each) > 1 or each == names[0]]
    return bool(widths) and not any(normalize(each) in INPUT_NAMES for each in names)


def recognize_forward(
    name: str, found: Callable[..., Any], signature: inspect.Signature
) -> Implementation:
    """Return a forward function as an implementation.

    It is one if its three parameters have the names of a seed, an input or a flag; under other
    names it must work as one.

    Raises:
        AdapterError: It is none.
    """
    try:
        signature.bind(0.0, None, 1.0)
    except TypeError as error:
        msg = (
            f"{name}{signature} is not a forward function: it must be callable as "
            f"f(seed, x, use_running_average). {GUIDE}"
        )
        raise AdapterError(msg) from error
    seed, x, flag = list(signature.parameters)[:3] if len(signature.parameters) > 2 else [""] * 3
    named = seed.lower() in SEEDS or (
        normalize(x) in INPUT_NAMES and trains_if_true(flag) is not None
    )
    if not named and seed:
        problem = _try_as_forward(found)
        if problem:
            msg = (
                f"{name}{signature} is neither a forward function f(seed, x, use_running_average) "
                f"nor a pure function of x, gamma, beta, mean, var and the mode: called as the "
                f"former, {problem}. {GUIDE}"
            )
            raise AdapterError(msg)
    return Implementation(name=name, forward=found, kind="forward function")


def _try_as_forward(found: Callable[..., Any]) -> str:
    """Return what happens if a function is called as a forward function, or nothing."""
    import numpy as np  # noqa: PLC0415  only functions under unknown names are called

    x = np.array([[0, 1, 2], [3, -1, 5], [1, 1, 4], [2, 0, 1], [7, 5, 6]], np.float32)
    for flag in (0.0, 1.0):
        try:
            y = np.asarray(found(0.0, x.copy(), flag))
        except Exception as error:  # noqa: BLE001  a call may raise anything
            return f"it raised {describe(error)}"
        if y.size != x.size:
            return f"it returned {y.size} numbers for an x of {x.size}"
    return ""
