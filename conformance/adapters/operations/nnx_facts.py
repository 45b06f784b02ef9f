"""Operations that tell facts of an ``nnx.Module``: its Variables, leaves, buffers and traces."""

from __future__ import annotations

import ast
import gc
import inspect
from collections.abc import Iterator
from functools import partial
from textwrap import dedent
from typing import Any

import jax
import numpy as np
from flax import nnx

from conformance.adapters.array_parts import Key, split_part, take_part
from conformance.adapters.implementation import Implementation
from conformance.adapters.nnx import NnxLayer, to_numpy, value_of
from conformance.adapters.nnx_transforms import merged_call, path_at, path_of, split_leaves
from conformance.adapters.operations.attribute_origins import find_attribute
from conformance.adapters.operations.values import Live, numbers
from conformance.adapters.protocols import ARRAYS, Config

_FILTERS: dict[str, tuple[Any, ...]] = {
    "all": (),
    "parameters": (nnx.Param,),
    "others": (nnx.Not(nnx.Param),),
}


def describe_holders(layer: NnxLayer) -> dict[str, dict[str, Any]]:
    """Return what holds each of the four arrays.

    Returns:
        By the name of the array: ``title``, its class; ``is_param`` and ``is_variable``; ``shape``
        and ``dtype`` of its value; ``identity``, a number of the object; and ``metadata``, the
        repr of a Variable's metadata.
    """
    parts = layer.access.parts
    return {
        name: _describe(layer.holder(name), parts.get(name, ()))
        for name in ARRAYS
        if name in layer.attributes
    }


def _describe(holder: Any, key: Key) -> dict[str, Any]:
    is_variable = isinstance(holder, nnx.Variable)
    value = take_part(value_of(holder), key)
    kind = type(holder)
    return {
        "title": f"{kind.__module__.split('.')[0]}.{kind.__name__}",
        "is_param": isinstance(holder, nnx.Param),
        "is_variable": is_variable,
        "shape": [int(size) for size in np.shape(value)],
        "dtype": str(getattr(value, "dtype", type(value).__name__)),
        "identity": hash((id(holder), *key)),
        "metadata": repr(holder.get_metadata()) if is_variable else "",
    }


def paths(layer: NnxLayer) -> dict[str, list[Any]]:
    """Return the path of each named array, and of further state, in the state of the module.

    An attribute may be a property that returns the Variable of a module inside.
    """
    found = {name: list(path_of(layer, name)) for name in layer.attributes}
    return found | {name: list(path_at(layer, name)) for name in layer.access.extra}


def list_leaves(layer: NnxLayer, selected: str) -> list[list[Any]]:
    """Return the paths of the leaves of ``nnx.split``.

    Args:
        layer: The layer.
        selected: "all" leaves, "parameters" for ``nnx.Param``, or "others".
    """
    return [list(path) for path in _leaves(layer, selected)]


def read_leaves(layer: NnxLayer) -> list[list[Any]]:
    """Return path and value of each leaf of ``nnx.split``; of a random key, its data."""
    return [[list(path), numbers(to_numpy(leaf))] for path, leaf in _leaves(layer, "all").items()]


def _leaves(layer: NnxLayer, selected: str) -> dict[tuple[Any, ...], Any]:
    return split_leaves(layer, _whole_leaves(layer, selected))


def _whole_leaves(layer: NnxLayer, selected: str) -> dict[tuple[Any, ...], Any]:
    flat = nnx.to_flat_state(nnx.state(layer.module, *_FILTERS[selected]))
    return {path: getattr(leaf, "get_value", lambda leaf=leaf: leaf)() for path, leaf in flat}


def list_buffers(layer: NnxLayer) -> list[int]:
    """Return what identifies the memory of each leaf: its address, or the object itself."""
    return [_buffer(leaf) for leaf in _whole_leaves(layer, "all").values()]


def _buffer(leaf: Any) -> int:
    if isinstance(leaf, jax.Array) and leaf.is_fully_addressable:
        return int(leaf.addressable_shards[0].data.unsafe_buffer_pointer())
    return id(leaf)


def list_assignments(layer: NnxLayer) -> list[list[Any]]:
    """Return where methods of the module assign the attributes of arrays, but for the constructor.

    Returns:
        By assignment the file, line and column, and its text; none if the source cannot be read.
    """
    names = {split_part(own)[0].rpartition(".")[2] for own in layer.attributes.values()}
    found: list[list[Any]] = []
    for owner in type(layer.module).__mro__:
        if owner.__module__.partition(".")[0] in {"flax", "builtins"}:
            continue
        try:
            lines, first = inspect.getsourcelines(owner)
            file, tree = str(inspect.getsourcefile(owner)), ast.parse(dedent("".join(lines)))
        except (OSError, TypeError, SyntaxError):
            continue
        for node in _assignments(tree, names):
            text = lines[node.lineno - 1]
            column = len(text) - len(text.lstrip()) + 1
            found.append([file, first + node.lineno - 1, column, text.strip()])
    return found


def _assignments(tree: ast.AST, names: set[str]) -> Iterator[ast.stmt]:
    """Yield the statements that assign attributes of these names outside of a constructor."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef) or function.name == "__init__":
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Assign | ast.AugAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(each, ast.Attribute) and each.attr in names for each in targets):
                    yield node


def locate_initial(layer: NnxLayer, array: str) -> dict[str, Any] | None:
    """Return the only statement of a constructor that assigns an array, as the line of a mistake.

    Args:
        layer: The layer.
        array: The name of the array among those of the suite.

    Returns:
        ``file``, ``line``, ``column``, ``end_line``, ``end_column`` and ``text``, or None.
    """
    *path, name = split_part(layer.attributes.get(array, ""))[0].split(".")
    owner = layer.held_at(".".join(path)) if path else layer.module
    return find_attribute(type(owner), name)


def keep_graph(layer: NnxLayer) -> Live:
    """Keep the graph definition of the module."""
    return Live(nnx.graphdef(layer.module))


def has_graph(layer: NnxLayer, graphdef: Any) -> bool:
    """Return whether the graph definition of the module equals one that was kept."""
    return bool(nnx.graphdef(layer.module) == graphdef)


def list_leaked_tracers(layer: NnxLayer, x: Any) -> list[str]:
    """Call a layer on x, (N, D), under a new ``nnx.jit`` in both modes.

    JAX's own checker, ``jax.checking_leaks``, asks whether the trace is referred to; it also
    reports correct code with a ``custom_vjp``, without naming any tracer.

    Returns:
        The abstract values of the tracers made in these calls that are still referred to.
    """
    gc.freeze()  # what exists by now, garbage too, is neither looked through nor listed
    try:
        for flag in (False, True):
            nnx.jit(partial(layer.access.calling.apply, use_running_average=flag))(layer.module, x)
        if not _list_tracers():
            return []
        jax.clear_caches()  # programs refer to what the rule of a custom_jvp closes over
        return _list_tracers()
    finally:
        gc.unfreeze()


def _list_tracers() -> list[str]:
    """Return the abstract values of the tracers that are alive and not frozen."""
    gc.collect()
    found = [held for held in gc.get_objects() if isinstance(held, jax.core.Tracer)]
    return [str(tracer.aval) for tracer in found]


def build_abstractly(
    implementation: Implementation, layer: NnxLayer, features: int, momentum: float, eps: float
) -> dict[str, dict[str, Any]]:
    """Construct a layer by ``nnx.eval_shape``.

    Args:
        implementation: What is judged.
        layer: A layer of the implementation.
        features: D.
        momentum: The weight of the old value in a running average.
        eps: The ε that is added to the variance.

    Returns:
        By the name of each array that the layer has: ``is_abstract``, ``title``, ``shape``, and
        ``dtype``.
    """
    build: Any = implementation.build
    config = Config(features=features, momentum=momentum, eps=eps)
    abstract = layer.around(nnx.eval_shape(lambda: build(config).module)).read()
    return {name: _describe_abstract(abstract[name]) for name in ARRAYS if name in abstract}


def _describe_abstract(value: Any) -> dict[str, Any]:
    is_value = isinstance(value, jax.Array | np.ndarray)
    return {
        "is_abstract": hasattr(value, "shape") and hasattr(value, "dtype") and not is_value,
        "title": "an array" if is_value else type(value).__name__,
        "shape": [int(size) for size in np.shape(value)],
        "dtype": str(getattr(value, "dtype", "")),
    }


def call_abstractly(layer: NnxLayer, x: Any, flag: bool) -> dict[str, Any]:
    """Call a layer on x, (N, D), by ``jax.eval_shape``; return ``shape`` and ``dtype`` of y."""
    graphdef, state = nnx.split(layer.module)
    y, _ = jax.eval_shape(
        partial(merged_call, layer.access.calling, graphdef, evaluate=flag), state, x
    )
    return {"shape": [int(size) for size in y.shape], "dtype": str(y.dtype)}
