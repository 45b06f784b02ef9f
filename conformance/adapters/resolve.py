"""Resolves a name that a user types to an implementation.

A name is a registered one (entry-point group ``conformance.implementations``),
``gallery:member``, ``module:attribute``, ``path/to/file.py:attribute``, or ``command:`` and a
command that speaks the suite's protocol.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from conformance.adapters.errors import AdapterError, wrap_errors
from conformance.adapters.former_names import describe_renamed
from conformance.adapters.gallery import find_galleries, load_member
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import COMMAND
from conformance.adapters.recognition import recognize

GROUP = "conformance.implementations"

FILE_MODULE_PREFIX = "implementation_"
"""Prefix of the name under which a file is imported as a module."""


def find_registered() -> dict[str, EntryPoint]:
    """Return the registered implementations by name, without importing any of them."""
    return {point.name: point for point in sorted(entry_points(group=GROUP))}


def load(name: str) -> Any:
    """Import and return the object that a name stands for, whatever its type.

    Raises:
        AdapterError: It cannot be found or imported; the message says what to do.
    """
    if name.startswith(COMMAND):
        from conformance.adapters.command import load_command  # noqa: PLC0415  rarely needed

        return load_command(name)
    if ":" not in name:
        return _load_registered(name)
    place, _, attribute = name.rpartition(":")
    if place in find_galleries():
        return load_member(place, attribute)
    if not place or not attribute.replace(".", "").isidentifier():
        msg = (
            f"invalid implementation name {name!r}: expected module:attribute or "
            "path/to/file.py:attribute."
        )
        raise AdapterError(msg)
    module, origin = _load_file(place) if place.endswith(".py") else _load_module(place)
    found: Any = module
    for part in attribute.split("."):
        found = _load_attribute(origin, found, part)
    return found


def _load_registered(name: str) -> Any:
    known = find_registered()
    if name not in known:
        if renamed := describe_renamed(name):
            raise AdapterError(renamed)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        msg = (
            f"no implementation is registered as {name!r}.{hint} Registered: "
            f"{', '.join(known) or 'none'}. Anything else is named module:attribute or "
            "path/to/file.py:attribute."
        )
        raise AdapterError(msg)
    origins = {_describe_origin(point) for point in entry_points(group=GROUP, name=name)}
    if len(origins) > 1:
        msg = (
            f"{name!r} is registered by more than one package: {', '.join(sorted(origins))}. "
            "Name the one you mean as module:attribute."
        )
        raise AdapterError(msg)
    with wrap_errors(f"entry point {name!r} ({known[name].value})"):
        return known[name].load()


def _describe_origin(point: EntryPoint) -> str:
    return f"{point.value} ({point.dist.name if point.dist is not None else 'unknown'})"


def _load_module(place: str) -> tuple[ModuleType, str]:
    here = os.getcwd()  # noqa: PTH109  as `python -m` does, and as the user expects
    if here not in sys.path:
        sys.path.insert(0, here)
    with wrap_errors(f"module {place!r}"):
        module = importlib.import_module(place)
    return module, f"module {place!r}{_show_path(module)}"


def _load_file(place: str) -> tuple[ModuleType, str]:
    path = Path(place)
    with wrap_errors(f"file {place!r:.80}", "cannot be looked for"):
        path = path.expanduser().resolve()
        exists = path.is_file()
    if not exists:
        near = difflib.get_close_matches(path.name, _list_siblings(path), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        msg = f"there is no file {place!r} in {Path.cwd()}.{hint}"
        raise AdapterError(msg)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last: a file json.py beside it must not replace json
    name = f"{FILE_MODULE_PREFIX}{path.stem}"  # not the bare stem, for the same reason
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a .py file"  # noqa: S101, PT018
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with wrap_errors(f"file {place!r}"):
            spec.loader.exec_module(module)
    except AdapterError:
        del sys.modules[name]
        raise
    return module, f"file {place!r}"


def _list_siblings(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.glob("*.py")] if path.parent.is_dir() else []


def _show_path(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    if not file:
        return ""
    path = Path(file)
    try:
        return f" (./{path.relative_to(Path.cwd())})"
    except ValueError:
        return f" ({path})"


def _load_attribute(origin: str, owner: object, name: str) -> Any:
    with wrap_errors(f"attribute {name!r} of {origin}", "cannot be read"):
        if hasattr(owner, name):
            return getattr(owner, name)
    public = [attribute for attribute in dir(owner) if not attribute.startswith("_")]
    near = difflib.get_close_matches(name, public, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    msg = f"{origin} has no attribute {name!r}.{hint}"
    raise AdapterError(msg)


def resolve(
    name: str, *, by_names: bool = False, on_loaded: Callable[[], None] = lambda: None
) -> Implementation:
    """Return the implementation that a name stands for; reports call it by that name.

    Args:
        name: What the user typed: see the docstring of this module.
        by_names: Read names only, and call no module: a call of it may not return.
        on_loaded: Called when the object is loaded and before calls of it are tried.

    Raises:
        AdapterError: It cannot be found or understood; the message says what to do.
    """
    found = load(name)
    on_loaded()
    return replace(recognize(name, found, by_names=by_names), name=name)
