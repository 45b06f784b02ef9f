"""From the name that a user types to the object that it names.

A name is registered (entry-point group ``conformance.implementations``), or
``module:attribute``, or ``path/to/file.py:attribute``.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from conformance.adapters.errors import AdapterError, wrap_errors
from conformance.adapters.gallery import find_galleries, load_member
from conformance.adapters.implementation import Implementation
from conformance.adapters.recognize import recognize

GROUP = "conformance.implementations"


def find_registered() -> dict[str, EntryPoint]:
    """Return the registered implementations by name, without importing any of them."""
    return {point.name: point for point in sorted(entry_points(group=GROUP))}


def load(name: str) -> Any:
    """Return what a name stands for, as it was found.

    Raises:
        AdapterError: it cannot be found or imported; the message says what to do.
    """
    if ":" not in name:
        return _load_registered(name)
    place, _, attribute = name.rpartition(":")
    if place in find_galleries():
        return load_member(place, attribute)
    if not place or not attribute.replace(".", "").isidentifier():
        msg = f"{name!r} is no name: expected module:attribute or path/to/file.py:attribute."
        raise AdapterError(msg)
    module, origin = _load_file(place) if place.endswith(".py") else _load_module(place)
    found: Any = module
    for part in attribute.split("."):
        with wrap_errors(f"attribute {part!r} of {origin}", "cannot be read"):
            there = hasattr(found, part)
            found_next = getattr(found, part) if there else None
        if not there:
            raise AdapterError(_no_attribute(origin, found, part))
        found = found_next
    return found


def _load_registered(name: str) -> Any:
    known = find_registered()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        msg = (
            f"no implementation is registered as {name!r}.{hint} Registered: "
            f"{', '.join(known) or 'none'}. Anything else is named module:attribute or "
            "path/to/file.py:attribute."
        )
        raise AdapterError(msg)
    found = {_origin(point) for point in entry_points(group=GROUP, name=name)}
    if len(found) > 1:
        msg = (
            f"{name!r} is registered by more than one package: {', '.join(sorted(found))}. "
            "Name what you mean as module:attribute."
        )
        raise AdapterError(msg)
    with wrap_errors(f"entry point {name!r} ({known[name].value})"):
        return known[name].load()


def _origin(point: EntryPoint) -> str:
    return f"{point.value} ({point.dist.name if point.dist is not None else 'unknown'})"


def _load_module(place: str) -> tuple[ModuleType, str]:
    here = os.getcwd()  # noqa: PTH109  as `python -m` does, and as the user expects
    if here not in sys.path:
        sys.path.insert(0, here)
    with wrap_errors(f"module {place!r}"):
        module = importlib.import_module(place)
    return module, f"module {place!r}{_shown_path(module)}"


def _load_file(place: str) -> tuple[ModuleType, str]:
    path = Path(place)
    with wrap_errors(f"file {place!r:.80}", "cannot be looked for"):
        path = path.expanduser().resolve()
        there = path.is_file()
    if not there:
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
        with wrap_errors(f"file {place!r}"):
            spec.loader.exec_module(module)
    except AdapterError:
        del sys.modules[name]
        raise
    return module, f"file {place!r}"


def _siblings(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.glob("*.py")] if path.parent.is_dir() else []


def _shown_path(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    if not file:
        return ""
    path = Path(file)
    try:
        return f" (./{path.relative_to(Path.cwd())})"
    except ValueError:
        return f" ({path})"


def _no_attribute(origin: str, found: object, part: str) -> str:
    public = [name for name in dir(found) if not name.startswith("_")]
    near = difflib.get_close_matches(part, public, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{origin} has no attribute {part!r}.{hint}"


def resolve(name: str) -> Implementation:
    """Return the implementation that a name stands for, called by that name.

    Raises:
        AdapterError: it cannot be found or understood; the message says what to do.
    """
    return replace(recognize(name, load(name)), name=name)
