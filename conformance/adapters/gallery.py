"""Named collections of implementations, such as ``fault:eps-outside``.

A gallery is an entry point in the group ``conformance.galleries``; it stands for a mapping from
names to implementations, or to records that have one as ``implementation``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from conformance.adapters.errors import AdapterError

GROUP = "conformance.galleries"


@cache
def find_galleries() -> dict[str, EntryPoint]:
    """Return the registered galleries by name, without importing any of them.

    Kept, because finding entry points reads the metadata of every installed distribution, and
    a run may name hundreds of members.
    """
    return {point.name: point for point in sorted(entry_points(group=GROUP))}


def load_members(gallery: str) -> Mapping[str, Any]:
    """Return what a gallery holds, by name; this imports it."""
    held: Mapping[str, Any] = find_galleries()[gallery].load()
    return held


def load_member(gallery: str, name: str) -> Any:
    """Return the implementation of that name.

    Raises:
        AdapterError: there is none; the message names the nearest.
    """
    held = load_members(gallery)
    if name not in held:
        near = difflib.get_close_matches(name, held, n=1)
        hint = f" Did you mean {gallery}:{near[0]}?" if near else ""
        msg = f"the gallery {gallery!r} has {len(held)} members, and none is named {name!r}.{hint}"
        raise AdapterError(msg)
    return getattr(held[name], "implementation", held[name])
