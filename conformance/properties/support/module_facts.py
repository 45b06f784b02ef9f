"""Facts of a layer that is an ``nnx.Module``: its leaves, and their paths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conformance.numerics.state import AnyArray
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.session import as_array

Path = tuple[Any, ...]
"""The path of a leaf in the state of a module."""


def as_paths(found: Iterable[Iterable[Any]]) -> list[Path]:
    """Return paths in order."""
    return sorted(tuple(path) for path in found)


def paths_of(layer: LayerHandle) -> dict[str, Path]:
    """Return the path of each named array in the state of the module."""
    found = layer.ask("paths", label="looking for the arrays in the module")
    return {name: tuple(path) for name, path in found.items()}


def list_leaves(layer: LayerHandle, selected: str = "all") -> list[Path]:
    """Return the paths of the leaves of ``nnx.split``, in order.

    Args:
        layer: The layer.
        selected: "all", "parameters" or "others".
    """
    return as_paths(layer.ask("list_leaves", selected, label="nnx.split"))


def read_leaves(layer: LayerHandle) -> dict[Path, AnyArray]:
    """Return copies of the leaves of ``nnx.split``, by path."""
    found = layer.ask("read_leaves", label="nnx.split")
    return {tuple(path): as_array("/".join(map(str, path)), leaf) for path, leaf in found}


def describe_holders(layer: LayerHandle) -> dict[str, dict[str, Any]]:
    """Return what holds each of the four arrays; see ``operations.nnx_facts.describe_holders``."""
    found: dict[str, dict[str, Any]] = layer.ask("describe_holders", label="reading the Variables")
    return found
