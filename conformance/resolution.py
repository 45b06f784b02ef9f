"""From the name that a user types to the ``Implementation`` that is judged.

A name is registered (entry-point group ``conformance.implementations``), or
``module:attribute``, or ``path/to/file.py:attribute``.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from conformance.galleries import galleries, member
from conformance.implementation import ARRAYS, AdapterError, Implementation

GROUP = "conformance.implementations"
GUIDE = "docs/writing-an-adapter.md shows a complete example."


def registered() -> dict[str, EntryPoint]:
    """Return the registered implementations by name, without importing any of them."""
    return {point.name: point for point in sorted(entry_points(group=GROUP))}


def resolve(name: str) -> Implementation:
    """Return the implementation that a name stands for, called by that name.

    Raises:
        AdapterError: it cannot be found or understood; the message says what to do.
    """
    return replace(_recognise(name, _load(name)), name=name)


def _load(name: str) -> Any:
    if ":" not in name:
        return _load_registered(name)
    place, _, attribute = name.rpartition(":")
    if place in galleries():
        return member(place, attribute)
    if not place or not attribute.replace(".", "").isidentifier():
        msg = f"{name!r} is no name: expected module:attribute or path/to/file.py:attribute."
        raise AdapterError(msg)
    module, origin = _load_file(place) if place.endswith(".py") else _load_module(place)
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise AdapterError(_no_attribute(origin, found, part))
        found = getattr(found, part)
    return found


def _load_registered(name: str) -> Any:
    known = registered()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        msg = (
            f"no implementation is registered as {name!r}.{hint} Registered: "
            f"{', '.join(known) or 'none'}. Anything else is named module:attribute or "
            "path/to/file.py:attribute."
        )
        raise AdapterError(msg)
    with _import_errors(f"entry point {name!r} ({known[name].value})"):
        return known[name].load()


def _load_module(place: str) -> tuple[ModuleType, str]:
    here = os.getcwd()  # noqa: PTH109  as `python -m` does, and as the user expects
    if here not in sys.path:
        sys.path.insert(0, here)
    with _import_errors(f"module {place!r}"):
        module = importlib.import_module(place)
    return module, f"module {place!r}{_shown_path(module)}"


def _load_file(place: str) -> tuple[ModuleType, str]:
    path = Path(place).expanduser().resolve()
    if not path.is_file():
        near = difflib.get_close_matches(path.name, _siblings(path), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        msg = f"there is no file {place!r} in {Path.cwd()}.{hint}"
        raise AdapterError(msg)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last: a file json.py beside it must not replace json
    name = f"implementation_{path.stem}"  # not the bare stem, for the same reason
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a .py file"  # noqa: S101, PT018
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _import_errors(f"file {place!r}"):
            spec.loader.exec_module(module)
    except AdapterError:
        del sys.modules[name]
        raise
    return module, f"file {place!r}"


class _import_errors:  # noqa: N801  a context manager that reads like a phrase
    """Turn whatever an import raises into an ``AdapterError`` that names the import."""

    def __init__(self, what: str, happened: str = "cannot be imported") -> None:
        self.what = f"{what} {happened}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, AdapterError):
            where = _last_frame(error)
            msg = f"{self.what}: {type(error).__name__}: {error}{where}"
            raise AdapterError(msg) from error


def _last_frame(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "importlib" not in f.filename and f.filename != __file__]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def _siblings(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.glob("*.py")] if path.parent.is_dir() else []


def _shown_path(module: ModuleType) -> str:
    if not module.__file__:
        return ""
    path = Path(module.__file__)
    try:
        return f" (./{path.relative_to(Path.cwd())})"
    except ValueError:
        return f" ({path})"


def _no_attribute(origin: str, found: object, part: str) -> str:
    public = [name for name in vars(found) if not name.startswith("_")]
    near = difflib.get_close_matches(part, public, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{origin} has no attribute {part!r}.{hint}"


def _recognise(name: str, found: Any) -> Implementation:
    """Find out by inspection what the attribute is."""
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
    signature = inspect.signature(found)
    required = [p for p in signature.parameters.values() if p.default is p.empty]
    if not [p for p in required if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]:
        with _import_errors(f"{name}()", "failed"):
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
        names: dict[str, Any] = {**keywords, **attributes}
        implementation = Implementation.nnx(found, name=name, kind=kind, **names)
        with _import_errors(f"{name}, built as {call},", "failed"):
            there = _attributes_of(found, keywords)
        missing = [attribute for attribute in attributes.values() if attribute not in there]
        if not missing:
            return implementation
        attempts += [
            f"  Built as {call}: ok",
            f"  Expected attributes {', '.join(attributes.values())}; "
            f"found {', '.join(there) or 'none'}.",
            f"  Name them: Implementation.nnx({found.__name__}, "
            + ", ".join(f"{a}=…" for a, own in attributes.items() if own in missing)
            + "), and run that object instead.",
        ]
    lines = "\n".join(attempts)
    msg = f"{name} is an nnx.Module that fits neither known shape.\n{lines}\n  {GUIDE}"
    raise AdapterError(msg)


def _accepts(found: type, names: set[str]) -> bool:
    # of __init__: the metaclass of nnx.Module hides it behind (*args, **kwargs)
    parameters = list(inspect.signature(found.__init__).parameters.values())[1:]  # type: ignore[misc]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return True
    named = {p.name for p in parameters}
    optional = {p.name for p in parameters if p.default is not p.empty}
    return names <= named and named - names <= optional


def _attributes_of(found: type, keywords: Mapping[str, str]) -> list[str]:
    """Return the array attributes of an instance; lazy ones appear with the first call.

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
            return arrays()
    return arrays()


def _article(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"
