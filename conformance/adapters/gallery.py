"""Named collections of implementations, such as ``fault:eps-outside``.

A gallery is an entry point in the group ``conformance.galleries``. It resolves to a mapping from
names to implementations, or to records with an attribute ``implementation``.
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

    Cached, because finding entry points reads the metadata of every installed distribution, and
    a run may name hundreds of members.
    """
    return {point.name: point for point in sorted(entry_points(group=GROUP))}


def load_members(gallery: str) -> Mapping[str, Any]:
    """Import a gallery and return its members by name."""
    members: Mapping[str, Any] = find_galleries()[gallery].load()
    return members


def load_member(gallery: str, name: str) -> Any:
    """Return the implementation of that name.

    Raises:
        AdapterError: The gallery has no such member; the message suggests similar names.
    """
    members = load_members(gallery)
    if name not in members:
        near = difflib.get_close_matches(name, members, n=1)
        hint = f" Did you mean {gallery}:{near[0]}?" if near else ""
        count = len(members)
        msg = f"the gallery {gallery!r} has {count} members, and none is named {name!r}.{hint}"
        raise AdapterError(msg)
    return getattr(members[name], "implementation", members[name])
