"""Reads the state of an ``nnx.Module``: its Variables, its leaves, and their paths."""

from __future__ import annotations

from typing import Any

from flax import nnx

from conformance.adapters.protocols import ARRAYS
from conformance.properties.support.layer_handle import LayerHandle, calling


def holders(layer: LayerHandle) -> dict[str, Any]:
    """Return the Variable of each of the four arrays, by name."""
    adapter: Any = layer.layer
    return {name: adapter.holder(name) for name in ARRAYS}


def leaves(module: Any, *filters: Any) -> dict[tuple[Any, ...], Any]:
    """Return the state leaves of a module by path."""
    with calling("nnx.split"):
        flat = nnx.to_flat_state(nnx.state(module, *filters))
    return {path: getattr(leaf, "get_value", lambda leaf=leaf: leaf)() for path, leaf in flat}


def path_of(layer: LayerHandle, name: str) -> tuple[Any, ...]:
    """Return the path of one of the four arrays in the state of the module.

    An attribute may be a property that returns the Variable of a module inside.
    """
    adapter: Any = layer.layer
    held = adapter.holder(name)
    for path, node in nnx.iter_graph(layer.module):
        if node is held and path:
            return tuple(path)
    return tuple(adapter.attributes[name].split("."))
