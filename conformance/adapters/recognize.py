"""From an object to the ``Implementation`` that it is, found out by inspection."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from conformance.adapters.errors import AdapterError, wrap_errors
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import ARRAYS

GUIDE = "docs/writing-an-adapter.md shows a complete example."


def recognize(name: str, found: Any) -> Implementation:
    """Return what was found under a name as an implementation.

    Raises:
        AdapterError: it is none of the known kinds; the message says what to do.
    """
    if isinstance(found, Implementation):
        return found
    if inspect.isclass(found):
        from flax import nnx  # noqa: PLC0415  a class is compared with nnx.Module

        if issubclass(found, nnx.Module):
            return _recognise_module(name, found)
        msg = (
            f"{name} is the class {found.__name__}, which is no nnx.Module. Wrap it in an "
            f"Implementation object with `build`, a function from Config to Layer; {GUIDE}"
        )
        raise AdapterError(msg)
    if callable(found):
        return _recognise_function(name, found)
    msg = (
        f"{name} is {_article(found)}: expected an Implementation object, an nnx.Module class or "
        f"a function f(seed, x, use_running_average). {GUIDE}"
    )
    raise AdapterError(msg)


def _recognise_function(name: str, found: Callable[..., Any]) -> Implementation:
    with wrap_errors(f"the signature of {name}", "cannot be read"):
        signature = inspect.signature(found)
    required = [p for p in signature.parameters.values() if p.default is p.empty]
    if not [p for p in required if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]:
        with wrap_errors(f"{name}()", "failed"):
            made = found()
        if isinstance(made, Implementation):
            return made
        msg = f"{name}() returned {_article(made)}: expected an Implementation object."
        raise AdapterError(msg)
    try:
        signature.bind(0.0, None, 1.0)
    except TypeError as error:
        msg = (
            f"{name}{signature} is no forward function: it must be callable as "
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
            module, there = _built(found, keywords)
            missing = {a: own for a, own in attributes.items() if not _has(module, own)}
            inside, holder = _inside(module) if missing else (attributes, "")
        if inside:
            where = f", arrays in {holder}" if holder else ""
            given: dict[str, Any] = {**keywords, **inside}
            return Implementation.nnx(found, name=name, kind=kind + where, **given)
        attempts += [
            f"  Built as {call}: ok",
            f"  Expected attributes {', '.join(attributes.values())}; "
            f"found {', '.join(there) or 'none'}.",
            f"  Name them: Implementation.nnx({found.__name__}, "
            + ", ".join(f"{array}=…" for array in missing)
            + '), and run that object instead; gamma="bn.scale" is an array of a module inside.',
        ]
    lines = "\n".join(attempts)
    msg = f"{name} is an nnx.Module that fits neither known shape.\n{lines}\n  {GUIDE}"
    raise AdapterError(msg)


def _has(module: Any, attribute: str) -> bool:
    return getattr(module, attribute, None) is not None


def _inside(module: Any) -> tuple[dict[str, str], str]:
    """Return where the only module inside that has the four arrays has them, and its name."""
    from flax import nnx  # noqa: PLC0415  only nnx.Module classes come here

    found = [
        ({array: f"{name}.{own}" for array, own in attributes.items()}, name)
        for name, inner in vars(module).items()
        if isinstance(inner, nnx.Module)
        for _, attributes in _SHAPES.values()
        if all(_has(inner, own) for own in attributes.values())
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


def _built(found: type, keywords: Mapping[str, str]) -> tuple[Any, list[str]]:
    """Return an instance and its array attributes; lazy ones appear with the first call.

    Whether arrays may be lazy is for a requirement to judge.
    """
    import numpy as np  # noqa: PLC0415  only nnx.Module classes come here
    from flax import nnx  # noqa: PLC0415

    values = {"features": 3, "momentum": 0.9, "eps": 1e-5}
    module = found(**{own: values[ours] for ours, own in keywords.items()}, rngs=nnx.Rngs(0))

    def arrays() -> list[str]:
        held = vars(module).items()
        return [n for n, v in held if isinstance(v, nnx.Variable) or hasattr(v, "__array__")]

    if not arrays():
        try:
            module(np.ones((2, 3), np.float32), use_running_average=False)
        except Exception:  # noqa: BLE001  only the attributes are wanted here
            return module, arrays()
    return module, arrays()


def _article(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"
