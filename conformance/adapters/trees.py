"""The four arrays in a tree of any kind: found by name, taken out and put back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from conformance.adapters.errors import AdapterError
from conformance.adapters.protocols import ARRAYS, COUNT, NEUTRAL, PARAMETERS, is_line
from conformance.adapters.pure import Arrays
from conformance.adapters.synonyms import role_of

_REST = "rest"
"""The leaves of a tree that are none of the four arrays, as an entry of a layer's arrays."""

Call = Callable[..., tuple[Any, Any]]
"""``f(tree, x, use_running_average, **more) -> (y, tree)``."""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the arrays of a layer are among the leaves of a tree.

    Attributes:
        treedef: The structure of the tree.
        indices: Positions among the leaves, by the names in ``ARRAYS`` and ``COUNT``.
        shapes: The shapes that the leaves have in the tree.
        paths: The dotted paths of the leaves.
    """

    treedef: Any
    indices: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]
    paths: Mapping[str, str]

    def take(self, tree: Any) -> Arrays:
        """Return the arrays in a tree, each (D,), and the other leaves.

        An array of another shape than before is left as it is, for a requirement to judge.

        Raises:
            AdapterError: The tree has other entries than before.
        """
        leaves, treedef = jax.tree.flatten(tree)
        if treedef != self.treedef:
            msg = f"a call returned state with other entries: {treedef}, instead of {self.treedef}."
            raise AdapterError(msg)
        arrays = {name: leaves[index] for name, index in self.indices.items()}
        for name, shape in self.shapes.items():
            if arrays[name].shape == shape and len(shape) != 1:
                arrays[name] = arrays[name].reshape(-1)
        taken = set(self.indices.values())
        rest = tuple(leaf for index, leaf in enumerate(leaves) if index not in taken)
        return {**arrays, _REST: rest} if rest else arrays

    @property
    def absent(self) -> frozenset[str]:
        """The arrays that the layer does not have."""
        return frozenset(ARRAYS) - self.indices.keys()

    def begin(self, tree: Any, features: int) -> Arrays:
        """Return the arrays in a new tree, and neutral ones where the layer has none."""
        return neutral_arrays(self.absent, features) | self.take(tree)

    def put(self, arrays: Arrays) -> Any:
        """Return the tree with the arrays in the shapes that it had."""
        rest = iter(arrays.get(_REST, ()))
        names = {index: name for name, index in self.indices.items()}
        leaves = [
            self._native(names[index], arrays[names[index]]) if index in names else next(rest)
            for index in range(self.treedef.num_leaves)
        ]
        return jax.tree.unflatten(self.treedef, leaves)

    def _native(self, name: str, value: Any) -> Any:
        shape = self.shapes.get(name)
        return value if shape is None or len(shape) == 1 else jnp.reshape(value, shape)


def neutral_arrays(names: Iterable[str], features: int) -> Arrays:
    """Return arrays, each (D,), that have no effect in the place of those that a layer lacks."""
    return {name: jnp.full(features, NEUTRAL[name]) for name in names}


@dataclass(frozen=True, slots=True, eq=False)
class TreePure:
    """A call of a tree as a function of the arrays in it."""

    call: Call
    places: Places

    def __call__(self, arrays: Arrays, x: Any, flag: Any, **more: Any) -> tuple[Any, Arrays]:
        y, after = self.call(self.places.put(arrays), x, flag, **more)
        return y, {**arrays, **self.places.take(after)}


def locate(tree: Any, names: Mapping[str, str | None], features: int) -> Places:
    """Find the four arrays in a tree.

    An array is found by the name that is given for it, or by the known names; and where these
    find none, by its initial value: of the parameters, that is, entries under "params", ones are
    γ and zeros β; of the rest, zeros are the running mean and ones the running variance.

    Args:
        tree: The tree of a new layer.
        names: By ``ARRAYS``, ``COUNT`` and names of hidden arrays: the end of a path, with dots;
            "" to look for one of the four, None for an array that the layer does not have.
        features: D.

    Raises:
        AdapterError: One is not found, or several might be it.
    """
    flat, treedef = jax.tree_util.tree_flatten_with_path(tree)
    paths = [name_of(path) for path, _ in flat]
    leaves = [leaf for _, leaf in flat]
    indices: dict[str, int] = {}
    for role in dict.fromkeys((*ARRAYS, *names)):
        given = names.get(role, "")
        if given is None:
            continue
        found = [i for i, path in enumerate(paths) if _is_named(path, given, role)]
        if not found and not given:
            found = _find_by_value(role, paths, leaves, features)
        if not found and role in PARAMETERS and not given and not _unclaimed(paths, indices):
            continue  # the layer has none
        if len(found) != 1:
            raise AdapterError(_explain(role, given, [paths[i] for i in found], paths))
        indices[role] = found[0]
    shapes = {role: jnp.shape(leaves[i]) for role, i in indices.items() if role != COUNT}
    line = {role: shape for role, shape in shapes.items() if is_line(shape, features)}
    return Places(treedef, indices, line, {role: paths[i] for role, i in indices.items()})


def _unclaimed(paths: list[str], indices: Mapping[str, int]) -> list[str]:
    """Return the parameters that are none of the arrays found so far, nor named like one."""
    claimed = {paths[index] for index in indices.values()}
    own = [path for path in paths if path.startswith("params.") and path not in claimed]
    return [path for path in own if role_of(path.rpartition(".")[2]) is None]


def name_of(path: tuple[Any, ...]) -> str:
    """Return the keys of a path with dots between them."""
    values = (getattr(key, "key", getattr(key, "name", getattr(key, "idx", key))) for key in path)
    parts = re.split(r"[./\[\]'\"~]+", ".".join(map(str, values)))
    return ".".join(part for part in parts if part)


def _is_named(path: str, given: str, role: str) -> bool:
    if given:
        return path == given or path.endswith(f".{given}")
    *owners, last = path.split(".")
    if last == "average" and owners:  # of a submodule that averages, named after what it averages
        last = owners[-1]
    return role_of(last) == role


def _find_by_value(role: str, paths: list[str], leaves: list[Any], features: int) -> list[int]:
    trained = role in {"gamma", "beta"}
    return [
        index
        for index, (path, leaf) in enumerate(zip(paths, leaves, strict=True))
        if path.startswith("params.") == trained
        and role_of(path.rpartition(".")[2]) is None
        and is_line(jnp.shape(leaf), features)
        and bool(jnp.all(leaf == NEUTRAL[role]))
    ]


def _explain(role: str, given: str | None, found: list[str], paths: list[str]) -> str:
    what = f"{role}={given!r} names" if given else f"{role}: the known names find"
    line = f"give {role}=… with the end of one of these paths, or {role}=None if there is none"
    return f"{what} {' and '.join(found) or 'nothing'} among {', '.join(paths)}: {line}."
