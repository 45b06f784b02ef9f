"""Inspects an object and returns it as an ``Implementation``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from conformance.adapters.errors import AdapterError, wrap_errors
from conformance.adapters.frameworks import recognize_class, recognize_pure_function
from conformance.adapters.implementation import Implementation
from conformance.adapters.recognition.callables import (
    GUIDE,
    makes_modules,
    read_parameters,
    recognize_forward,
    takes_nothing,
)


def recognize(name: str, found: Any, *, by_names: bool = False) -> Implementation:
    """Return the object that a name resolved to as an implementation.

    Args:
        name: What the user typed, for messages.
        found: An ``Implementation``; an ``nnx.Module`` class, a ``functools.partial`` of one, or a
            function that returns a module; a class of another framework; a pure function or a
            forward function; or a function without arguments that returns an ``Implementation``.
        by_names: Read names only, and call no module: a call of it may not return.

    Raises:
        AdapterError: It is none of these; the message says what to do.
    """
    if isinstance(found, Implementation):
        return found
    made = found.func if isinstance(found, partial) else found
    if inspect.isclass(made):
        if _is_module(made):
            return _recognize_module(name, found, by_names=by_names)
        if made is found and (implementation := recognize_class(name, made)) is not None:
            return implementation
        msg = (
            f"{name} is the class {made.__name__}, neither an nnx.Module nor a layer of linen, "
            f"Equinox, Haiku, Keras or PyTorch. {_PURE} {GUIDE}"
        )
        raise AdapterError(msg)
    if callable(found):
        return _recognize_function(name, found, by_names=by_names)
    msg = (
        f"{name} is {_with_article(found)}: expected an Implementation object, an nnx.Module class "
        f"or a function f(seed, x, use_running_average). {GUIDE}"
    )
    raise AdapterError(msg)


_PURE = (
    "Name a function f(x, gamma, beta, mean, var, training, momentum, eps) -> (y, mean, var) that "
    "makes the layer, gives it the arrays, calls it and returns y and the new statistics; or an "
    "Implementation object with `build`, a function from Config to Layer."
)
"""How anything that computes with arrays of JAX can be judged."""


def _is_module(found: type) -> bool:
    from flax import nnx  # noqa: PLC0415  imports jax, only needed for classes

    return issubclass(found, nnx.Module)


def _recognize_module(name: str, found: Callable[..., Any], *, by_names: bool) -> Implementation:
    from conformance.adapters.recognition.module import (  # noqa: PLC0415  imports jax
        recognize_module,
    )

    return recognize_module(name, found, by_names=by_names).implementation(name, found)


def _recognize_function(name: str, found: Callable[..., Any], *, by_names: bool) -> Implementation:
    signature = read_parameters(name, found)
    if takes_nothing(signature):
        with wrap_errors(f"{name}()", "failed"):
            returned = found()
        if isinstance(returned, Implementation):
            return returned
        if not _is_module(type(returned)):
            kind = _with_article(returned)
            msg = (
                f"{name}() returned {kind}: expected an nnx.Module or an Implementation object. "
                f"{_PURE} {GUIDE}"
            )
            raise AdapterError(msg)
        return _recognize_module(name, found, by_names=by_names)
    if (implementation := recognize_pure_function(name, found)) is not None:
        return implementation
    if makes_modules(signature):
        return _recognize_module(name, found, by_names=by_names)
    return recognize_forward(name, found, signature)


def _with_article(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"
