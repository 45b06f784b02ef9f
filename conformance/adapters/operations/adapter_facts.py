"""Operations that tell facts of an adapter, for whoever writes one.

Imports the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.adapters.protocols import Layer


def name_type(kept: Any) -> str:
    """Return the name of the type of an object that is kept."""
    return type(kept).__name__


def list_lacking(kept: Any) -> list[str]:
    """Return the methods of a layer that an object lacks."""
    return [m for m in ("__call__", "read", "write") if not callable(getattr(kept, m, None))]


def is_same(layer: Layer, other: Layer) -> bool:
    """Return whether two layers are one object."""
    return layer is other


def list_read(layer: Layer) -> tuple[str, list[str] | None]:
    """Return the type of what reading a layer returns, and the names in it; None for no mapping."""
    held: Any = layer.read()
    return type(held).__name__, [str(name) for name in held] if isinstance(held, Mapping) else None
