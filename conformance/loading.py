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
import traceback
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from conformance import progress
from conformance.errors import described
from conformance.galleries import galleries, member
from conformance.implementation import AdapterError

GROUP = "conformance.implementations"

_OWN_FRAMES = {str(Path(__file__).with_name(name)) for name in ("loading.py", "recognition.py")}


def registered() -> dict[str, EntryPoint]:
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
    if place in galleries():
        return member(place, attribute)
    if not place or not attribute.replace(".", "").isidentifier():
        msg = f"{name!r} is no name: expected module:attribute or path/to/file.py:attribute."
        raise AdapterError(msg)
    module, origin = _load_file(place) if place.endswith(".py") else _load_module(place)
    found: Any = module
    for part in attribute.split("."):
        with import_errors(f"attribute {part!r} of {origin}", "cannot be read"):
            there = hasattr(found, part)
            found_next = getattr(found, part) if there else None
        if not there:
            raise AdapterError(_no_attribute(origin, found, part))
        found = found_next
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
    found = {_origin(point) for point in entry_points(group=GROUP, name=name)}
    if len(found) > 1:
        msg = (
            f"{name!r} is registered by more than one package: {', '.join(sorted(found))}. "
            "Name what you mean as module:attribute."
        )
        raise AdapterError(msg)
    with import_errors(f"entry point {name!r} ({known[name].value})"):
        return known[name].load()


def _origin(point: EntryPoint) -> str:
    return f"{point.value} ({point.dist.name if point.dist is not None else 'unknown'})"


def _load_module(place: str) -> tuple[ModuleType, str]:
    here = os.getcwd()  # noqa: PTH109  as `python -m` does, and as the user expects
    if here not in sys.path:
        sys.path.insert(0, here)
    with import_errors(f"module {place!r}"):
        module = importlib.import_module(place)
    return module, f"module {place!r}{_shown_path(module)}"


def _load_file(place: str) -> tuple[ModuleType, str]:
    path = Path(place)
    with import_errors(f"file {place!r:.80}", "cannot be looked for"):
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
        with import_errors(f"file {place!r}"):
            spec.loader.exec_module(module)
    except AdapterError:
        del sys.modules[name]
        raise
    return module, f"file {place!r}"


class import_errors:  # noqa: N801  a context manager that reads like a phrase
    """Turn whatever an import raises into an ``AdapterError`` that names the import."""

    def __init__(self, what: str, happened: str = "cannot be imported") -> None:
        self.what = f"{what} {happened}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, AdapterError):
            return
        if error is not None and progress.its_own(error):
            msg = f"{self.what}: {described(error)}{_last_frame(error)}"
            raise AdapterError(msg) from error


def _last_frame(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "importlib" not in f.filename and f.filename not in _OWN_FRAMES]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


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
