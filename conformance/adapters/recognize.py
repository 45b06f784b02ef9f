"""Inspects an object and returns it as an ``Implementation``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from conformance.adapters.errors import AdapterError, wrap_errors
from conformance.adapters.frameworks import recognize_class, recognize_pure_function
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import ARRAYS

GUIDE = "docs/writing-an-adapter.md shows a complete example."


def recognize(name: str, found: Any) -> Implementation:
    """Return the object that a name resolved to as an implementation.

    Args:
        name: What the user typed, for messages.
        found: An ``Implementation``, an ``nnx.Module`` class, a forward function, or a function
            without arguments that returns an ``Implementation``.

    Raises:
        AdapterError: It is none of these; the message says what to do.
    """
    if isinstance(found, Implementation):
        return found
    if inspect.isclass(found):
        from flax import nnx  # noqa: PLC0415  imports jax, only needed for classes

        if issubclass(found, nnx.Module):
            return _recognise_module(name, found)
        if (implementation := recognize_class(name, found)) is not None:
            return implementation
        msg = (
            f"{name} is the class {found.__name__}, not an nnx.Module. Wrap it in an "
            f"Implementation object with `build`, a function from Config to Layer; {GUIDE}"
        )
        raise AdapterError(msg)
    if callable(found):
        return _recognise_function(name, found)
    msg = (
        f"{name} is {_with_article(found)}: expected an Implementation object, an nnx.Module class "
        f"or a function f(seed, x, use_running_average). {GUIDE}"
    )
    raise AdapterError(msg)


def _recognise_function(name: str, found: Callable[..., Any]) -> Implementation:
    with wrap_errors(f"the signature of {name}", "cannot be read"):
        signature = inspect.signature(found)
    required = [p for p in signature.parameters.values() if p.default is p.empty]
    if not [p for p in required if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]:
        with wrap_errors(f"{name}()", "failed"):
            returned = found()
        if isinstance(returned, Implementation):
            return returned
        msg = f"{name}() returned {_with_article(returned)}: expected an Implementation object."
        raise AdapterError(msg)
    if (implementation := recognize_pure_function(name, found)) is not None:
        return implementation
    try:
        signature.bind(0.0, None, 1.0)
    except TypeError as error:
        msg = (
            f"{name}{signature} is not a forward function: it must be callable as "
            f"f(seed, x, use_running_average). {GUIDE}"
        )
        raise AdapterError(msg) from error
    return Implementation(name=name, forward=found, kind="forward function")


_SHAPES: Mapping[str, tuple[dict[str, str], dict[str, str]]] = {
    "seed-shaped nnx.Module": (
        {"features": "d", "momentum": "momentum", "eps": "eps"},
        {array: array for array in ARRAYS},
    ),
    "flax-shaped nnx.Module": (
        {"features": "num_features", "momentum": "momentum", "eps": "epsilon"},
        dict(zip(ARRAYS, ("scale", "bias", "mean", "var"), strict=True)),
    ),
}


def _recognise_module(name: str, found: type) -> Implementation:
    attempts: list[str] = []
    for kind, (keywords, attributes) in _SHAPES.items():
        call = f"cls({keywords['features']}=3, momentum=0.9, {keywords['eps']}=1e-05, rngs=…)"
        if not _accepts(found, {*keywords.values(), "rngs"}):
            attempts.append(f"  As {kind}: its constructor does not take {call}.")
            continue
        with wrap_errors(f"{name}, built as {call},", "failed"):
            module, arrays = _build_module(found, keywords)
            missing = [array for array, own in attributes.items() if not _has(module, own)]
            located, holder = _locate_in_submodule(module) if missing else (attributes, "")
        if located:
            where = f", arrays in {holder}" if holder else ""
            given: dict[str, Any] = {**keywords, **located}
            return Implementation.nnx(found, name=name, kind=kind + where, **given)
        attempts += [
            f"  Built as {call}: ok",
            f"  Expected attributes {', '.join(attributes.values())}; "
            f"found {', '.join(arrays) or 'none'}.",
            f"  Name them: Implementation.nnx({found.__name__}, "
            + ", ".join(f"{array}=…" for array in missing)
            + '), and run that object instead; gamma="bn.scale" is an array of a submodule.',
        ]
    lines = "\n".join(attempts)
    msg = f"{name} is an nnx.Module that matches neither known shape.\n{lines}\n  {GUIDE}"
    raise AdapterError(msg)


def _has(module: Any, attribute: str) -> bool:
    return getattr(module, attribute, None) is not None


def _locate_in_submodule(module: Any) -> tuple[dict[str, str], str]:
    """Return the dotted names of the four arrays in the only submodule with them, and its name."""
    from flax import nnx  # noqa: PLC0415  only nnx.Module classes come here

    found = [
        ({array: f"{name}.{own}" for array, own in attributes.items()}, name)
        for name, submodule in vars(module).items()
        if isinstance(submodule, nnx.Module)
        for _, attributes in _SHAPES.values()
        if all(_has(submodule, own) for own in attributes.values())
    ]
    return found[0] if len(found) == 1 else ({}, "")


def _accepts(found: type, names: set[str]) -> bool:
    # of __init__: the metaclass of nnx.Module hides it behind (*args, **kwargs)
    parameters = list(inspect.signature(found.__init__).parameters.values())[1:]  # type: ignore[misc]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return True
    named = {p.name for p in parameters}
    optional = {p.name for p in parameters if p.default is not p.empty}
    return names <= named and named - names <= optional


def _build_module(found: type, keywords: Mapping[str, str]) -> tuple[Any, list[str]]:
    """Return an instance and the names of its array attributes.

    Some modules create their arrays lazily, in the first call; whether they may is for a
    requirement to judge.
    """
    import numpy as np  # noqa: PLC0415  only nnx.Module classes come here
    from flax import nnx  # noqa: PLC0415

    values = {"features": 3, "momentum": 0.9, "eps": 1e-5}
    module = found(**{own: values[ours] for ours, own in keywords.items()}, rngs=nnx.Rngs(0))

    def list_arrays() -> list[str]:
        values = vars(module).items()
        return [n for n, v in values if isinstance(v, nnx.Variable) or hasattr(v, "__array__")]

    if not list_arrays():
        try:
            module(np.ones((2, 3), np.float32), use_running_average=False)
        except Exception:  # noqa: BLE001  only the attributes matter here
            return module, list_arrays()
    return module, list_arrays()


def _with_article(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"
