"""Ways to take a layer apart, copy it and restore it."""

from __future__ import annotations

import copy
import io
import pickle
import sys
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from conformance.adapters.nnx import copy_through_numpy, split_and_merge


def _merged(module: Any, fresh: Any) -> Any:
    del fresh
    return split_and_merge(module)


def _merged_from_two_states(module: Any, fresh: Any) -> Any:
    del fresh
    graphdef, parameters, rest = nnx.split(module, nnx.Param, ...)
    return nnx.merge(graphdef, copy_through_numpy(parameters), copy_through_numpy(rest))


def _through_pure_dict(module: Any, fresh: Any) -> Any:
    before = nnx.state(module)
    if any(isinstance(leaf.get_value(), dict) for _, leaf in nnx.to_flat_state(before)):
        return _through_flat_state(module, fresh)  # NNX takes its keys for names of attributes
    values = copy_through_numpy(nnx.to_pure_dict(before))
    graphdef, state = nnx.split(fresh)
    nnx.replace_by_pure_dict(state, values)
    return nnx.merge(graphdef, state)


def _through_flat_state(module: Any, fresh: Any) -> Any:
    flat = nnx.to_flat_state(nnx.state(module))
    leaves = [(path, copy_through_numpy(leaf)) for path, leaf in flat]
    return nnx.merge(nnx.graphdef(fresh), nnx.from_flat_state(leaves))


def _through_leaves(module: Any, fresh: Any) -> Any:
    leaves = copy_through_numpy(jax.tree.leaves(nnx.state(module)))
    structure = jax.tree.structure(nnx.state(fresh))
    nnx.update(fresh, jax.tree.unflatten(structure, leaves))
    return fresh


RESTORED: dict[str, Callable[[Any, Any], Any]] = {
    "nnx.split and nnx.merge": _merged,
    "a pure dictionary": _through_pure_dict,
    "nnx.split by nnx.Param and nnx.merge": _merged_from_two_states,
    "a flat state": _through_flat_state,
    "the list of leaves": _through_leaves,
}
"""Functions of a module, and of a fresh one from another seed, that return a restored module."""


def _found_by_name(kind: type) -> bool:
    """Whether pickle can find a class again under the name that it has."""
    found: Any = sys.modules.get(kind.__module__)
    for part in kind.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is kind


def copy_by_pickle(module: Any) -> Any:
    """Return a copy of a module by pickle.

    A class that was made inside a function, or loaded from a file, cannot be found by name.
    This is about where it is defined and not about what it does, so such classes, and they alone,
    are pickled by reference; any other failure counts.
    """
    classes: dict[str, type] = {}

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: Any) -> str | None:
            if not isinstance(obj, type) or _found_by_name(obj):
                return None
            classes[f"{obj.__qualname__} {id(obj)}"] = obj
            return f"{obj.__qualname__} {id(obj)}"

    class Unpickler(pickle.Unpickler):
        def persistent_load(self, pid: str) -> type:
            return classes[pid]

    written = io.BytesIO()
    Pickler(written, pickle.HIGHEST_PROTOCOL).dump(module)
    return Unpickler(io.BytesIO(written.getvalue())).load()


COPIED: dict[str, Callable[[Any], Any]] = {
    "nnx.clone": nnx.clone,
    "copy.deepcopy": copy.deepcopy,
    "pickle": copy_by_pickle,
}
"""Functions that return an independent copy of a module."""
