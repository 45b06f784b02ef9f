"""Facts of a layer that is an ``nnx.Module``: its leaves, and their paths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from conformance.numerics.sources import formula
from conformance.numerics.state import AnyArray
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.session import as_array

Path = tuple[Any, ...]
"""The path of a leaf in the state of a module."""


@formula
def as_paths(found: Iterable[Iterable[Any]]) -> list[Path]:
    """Return paths in order."""
    return sorted(tuple(path) for path in found)


@formula
def paths_by_name(found: dict[str, Iterable[Any]]) -> dict[str, Path]:
    """Return paths by the names of their arrays."""
    return {name: tuple(path) for name, path in found.items()}


@formula
def leaves_by_path(found: Iterable[tuple[Iterable[Any], Any]]) -> dict[Path, Any]:
    """Return leaves by their paths."""
    return {tuple(path): leaf for path, leaf in found}


@formula
def leaf_at(leaves: dict[Path, Any], path: Path) -> Any:
    """Return the leaf of that path; None if there is none."""
    return leaves.get(path)


@formula
def has_leaf(leaves: dict[Path, Any], path: Path) -> bool:
    """Return whether there is a leaf of that path."""
    return path in leaves


@formula
def as_shape(sizes: Iterable[int]) -> tuple[int, ...]:
    """Return a shape."""
    return tuple(sizes)


@formula
def as_row(leaf: Any) -> Any:
    """Return an array of D numbers, in whatever shape the layer keeps it, as (D,)."""
    return leaf.reshape(-1)


@formula
def is_statistic(holder: dict[str, Any]) -> bool:
    """Return whether an array is in an nnx.Variable, and not an nnx.Param."""
    return bool(holder["is_variable"] and not holder["is_param"])


@formula
def identify(holder: dict[str, Any]) -> str:
    """Return what tells the object that holds an array from all others."""
    return f"#{holder['identity']}"


@formula
def is_own(holder: dict[str, Any], holders: dict[str, dict[str, Any]]) -> bool:
    """Return whether none of these is the same object."""
    return all(each["identity"] != holder["identity"] for each in holders.values())


@formula
def count_all(found: Iterable[Any]) -> int:
    """Return how many there are."""
    return len(list(found))


@formula
def count_distinct(found: Iterable[Any]) -> int:
    """Return how many different ones there are."""
    return len(set(found))


@formula
def is_empty(found: Iterable[Any]) -> bool:
    """Return whether there is nothing."""
    return not list(found)


def paths_of(layer: LayerHandle) -> dict[str, Path]:
    """Return the path of each named array in the state of the module."""
    found = layer.ask("paths", label="looking for the arrays in the module")
    return paths_by_name(found)


def list_leaves(layer: LayerHandle, selected: str = "all") -> list[Path]:
    """Return the paths of the leaves of ``nnx.split``, in order.

    Args:
        layer: The layer.
        selected: "all", "parameters" or "others".
    """
    return as_paths(layer.ask("list_leaves", selected, label="nnx.split"))


def read_leaves(layer: LayerHandle) -> dict[Path, AnyArray]:
    """Return copies of the leaves of ``nnx.split``, by path."""
    found = leaves_by_path(layer.ask("read_leaves", label="nnx.split"))
    for path, leaf in found.items():
        as_array("/".join(map(str, path)), leaf)
    return found


def describe_holders(layer: LayerHandle) -> dict[str, dict[str, Any]]:
    """Return what holds each of the four arrays; see ``operations.nnx_facts.describe_holders``."""
    found: dict[str, dict[str, Any]] = layer.ask("describe_holders", label="reading the Variables")
    return found
