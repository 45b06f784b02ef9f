"""Drives a live ``flax.nnx.Module`` as a ``Layer``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from conformance.adapters.array_parts import Key, replace_part, split_part, take_part
from conformance.adapters.calling import DEFAULT, Calling
from conformance.adapters.device_put import put_on_device
from conformance.adapters.protocols import ARRAYS, COUNT, MANY, NEUTRAL, STATISTICS, Config, is_line
from conformance.adapters.rngs import construct


def copy_through_numpy(tree: Any) -> Any:
    """Copy all leaves of a tree to NumPy and back, as saving and loading does."""
    return jax.tree.map(_copy_leaf_through_numpy, tree)


def _copy_leaf_through_numpy(leaf: Any) -> Any:
    copied = jnp.asarray(to_numpy(leaf))
    if is_random_key(leaf):
        return jax.random.wrap_key_data(copied, impl=jax.random.key_impl(leaf))
    return copied


def is_random_key(leaf: Any) -> bool:
    """Return whether a leaf is a typed random key, which NumPy cannot represent."""
    return jnp.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key)


def to_numpy(leaf: Any) -> np.ndarray[Any, Any]:
    """Copy a leaf of the state to NumPy; of a random key, its data."""
    return np.array(jax.random.key_data(leaf) if is_random_key(leaf) else leaf)


def split_and_merge(module: Any) -> Any:
    """Split a module, copy its state to NumPy and back, and merge it again."""
    graphdef, state = nnx.split(module)
    return nnx.merge(graphdef, copy_through_numpy(state))


@dataclass(frozen=True)
class Access:
    """How a module is called and where its arrays are; equal values are one key for programs.

    Attributes:
        names: Pairs of a name in ``ARRAYS``, or ``COUNT``, and the name of the attribute. A name
            with dots, "bn.scale", is that of a submodule's attribute; "stats[0]" is a part of one.
        features: D.
        shapes: Pairs of such a name and the shape of the array, where that is not (D,).
        calling: How the module is called.
        extra: The attributes with further state.
    """

    names: tuple[tuple[str, str], ...]
    features: int
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    calling: Calling = DEFAULT
    extra: tuple[str, ...] = ()

    @cached_property
    def attributes(self) -> dict[str, str]:
        """The names of attributes, by the suite's names."""
        return dict(self.names)

    @cached_property
    def read_in_order(self) -> tuple[str, ...]:
        """The arrays that the module has, and the count, by the suite's names."""
        return tuple(array for array in (*ARRAYS, COUNT) if array in self.attributes)

    @cached_property
    def places(self) -> dict[str, tuple[tuple[str, ...], str]]:
        """The paths to the modules with the attributes, and the attributes' names in them."""
        split = {ours: split_part(own)[0].split(".") for ours, own in self.names}
        return {ours: (tuple(path), name) for ours, (*path, name) in split.items()}

    @cached_property
    def parts(self) -> dict[str, Key]:
        """Which part of an attribute an array is, where it is not the whole."""
        keys = {ours: split_part(own)[1] for ours, own in self.names}
        return {ours: key for ours, key in keys.items() if key}

    @cached_property
    def unusual(self) -> dict[str, tuple[int, ...]]:
        """The shapes that are not (D,), by the suite's names."""
        return dict(self.shapes)

    @cached_property
    def absent(self) -> dict[str, float]:
        """The arrays that a layer is declared not to have, and the number that takes their place.

        A layer without γ is one whose γ is 1, and so on.
        """
        return {name: one for name, one in NEUTRAL.items() if name not in self.attributes}


@dataclass(frozen=True, slots=True)
class NnxLayer:
    """A module and the way to its arrays.

    Variables and bare arrays are read alike: whether an attribute is a Variable is for a
    requirement to judge, not for the adapter. Arrays are read and written as (D,), in whatever
    shape the module has them.

    Attributes:
        module: The ``nnx.Module``.
        access: How it is called and where its arrays are.
    """

    module: Any
    access: Access

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return self.access.calling.apply(self.module, x, use_running_average)

    @property
    def attributes(self) -> Mapping[str, str]:
        """The names of the attributes with the arrays, by the suite's names."""
        return self.access.attributes

    def holder(self, array: str) -> Any:
        """Return the attribute that holds the array: a Variable, a bare array or None.

        It may hold others, too; see ``Access.parts``.
        """
        return getattr(*self._locate(array), None)

    def held_at(self, attribute: str) -> Any:
        """Return an attribute, by its name with dots; None if there is none."""
        owner = self.module
        for part in split_part(attribute)[0].split("."):
            owner = getattr(owner, part, None)
        return owner

    def _locate(self, array: str) -> tuple[Any, str]:
        """Return the module with the attribute of an array, and the attribute's name in it."""
        owner, (path, name) = self.module, self.access.places[array]
        for part in path:
            owner = getattr(owner, part, None)
        return owner, name

    def read(self) -> dict[str, Any]:
        """Return the arrays, each (D,), and the count of updates; see ``Layer``."""
        found = {}
        for array in self.access.read_in_order:
            holder = self.holder(array)
            if holder is not None:
                found[array] = value_of(holder)
        for array, key in self.access.parts.items():
            if array in found:
                found[array] = take_part(found[array], key)
        for array, shape in self.access.shapes:
            if array in found:
                found[array] = flatten(found[array], shape)
        if self.access.absent:
            shape = next(map(np.shape, found.values()), (self.access.features,))
            found |= {name: jnp.full(shape, one) for name, one in self.access.absent.items()}
        return found

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        """Replace arrays, each (D,); see ``Layer``."""
        if COUNT in self.attributes and any(name in values for name in STATISTICS):
            values = {COUNT: np.asarray(MANY), **values}
        if self.access.absent:
            values = {name: each for name, each in values.items() if name in self.attributes}
        arrays = put_on_device(*values.values())
        for (array, value), on_device in zip(values.items(), arrays, strict=True):
            holder = self.holder(array)
            if array in self.access.parts:
                self._write_part(array, on_device)
                continue
            if not isinstance(holder, nnx.Variable):
                shape = self.access.unusual.get(array, value.shape)
                new = int(value) if array == COUNT else on_device.reshape(shape)
                setattr(*self._locate(array), new)
                continue
            current = holder.get_value()
            if isinstance(current, jax.Array) and current.shape != value.shape:
                fits = current.size == value.size
                holder[...] = on_device.reshape(current.shape) if fits else on_device
            else:
                dtype = getattr(current, "dtype", None)
                same = dtype == value.dtype  # converting to the same dtype would double the cost
                holder.set_value(on_device if same else jnp.asarray(value, dtype))

    def _write_part(self, array: str, value: Any) -> None:
        holder, key = self.holder(array), self.access.parts[array]
        held = value_of(holder)
        part = take_part(held, key)
        new = replace_part(held, key, jnp.asarray(value, part.dtype).reshape(part.shape))
        if isinstance(holder, nnx.Variable):
            holder.set_value(new)
        else:
            setattr(*self._locate(array), new)

    def around(self, module: Any) -> NnxLayer:
        """Return a layer for another module of the class, such as a clone or a restored copy."""
        return NnxLayer(module, self.access)

    def restored(self) -> NnxLayer:
        """Return a copy that was split and merged."""
        return self.around(split_and_merge(self.module))

    def attributes_now(self) -> dict[str, str]:
        """Return the reprs of all attributes but Variables and arrays, by dotted path."""
        return {
            ".".join(map(str, (*path, name))): repr(value)
            for path, node in nnx.iter_graph(self.module)
            if isinstance(node, nnx.Module)
            for name, value in vars(node).items()
            if not name.startswith("_pytree__")
            and not isinstance(value, nnx.Variable | jax.Array | np.ndarray | nnx.Pytree)
        }


def value_of(holder: Any) -> Any:
    """Return what a Variable holds, or what is held without one."""
    return holder.get_value() if isinstance(holder, nnx.Variable) else holder


def flatten(value: Any, shape: tuple[int, ...]) -> Any:
    """Return an array of one feature axis as (D,), or stacked ones as (L, D); others as they are.

    Args:
        value: The array.
        shape: The shape that the layer gave it, such as (1, D).
    """
    found = np.shape(value)
    if len(found) < len(shape) or found[len(found) - len(shape) :] != shape:
        return value
    flat = (*found[: len(found) - len(shape)], math.prod(shape))
    abstract = isinstance(value, jax.ShapeDtypeStruct)
    return value.update(shape=flat) if abstract else value.reshape(flat)


def build_layer(
    module: Callable[..., Any],
    config: Config,
    keywords: Mapping[str, str],
    attributes: Mapping[str, str],
    arguments: Mapping[str, Any],
    calling: Calling = DEFAULT,
    extra: tuple[str, ...] = (),
) -> NnxLayer:
    """Construct the module from a config, with its names for the arguments.

    Args:
        module: The class, or another callable that returns a module.
        config: Features, momentum, eps and seed.
        keywords: Names of constructor arguments, by ``features``, ``momentum``, ``eps`` and
            ``rngs``; those that are not there have no argument.
        attributes: Names of attributes, by those in ``ARRAYS`` and ``COUNT``.
        arguments: Further constructor arguments.
        calling: How the module is called.
        extra: The attributes with further state.
    """
    values = {"features": config.features, "momentum": config.momentum, "eps": config.eps}
    named = {keywords[ours]: value for ours, value in values.items() if ours in keywords}
    made = construct(module, config.seed, {**named, **arguments}, keywords.get("rngs", ""))
    calling.begin(made)
    names = tuple(attributes.items())
    access = _access(names, config.features, (), calling, extra)
    shapes = _unusual_shapes(NnxLayer(made, access), config.features)
    return NnxLayer(made, _access(names, config.features, shapes, calling, extra))


_access = cache(Access)
"""One object for each value, so that its cached properties are computed once."""


def _unusual_shapes(layer: NnxLayer, features: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return the shapes with D numbers along one axis among several."""
    found = []
    for name in layer.attributes:
        value = take_part(value_of(layer.holder(name)), layer.access.parts.get(name, ()))
        shape = np.shape(value) if hasattr(value, "shape") else ()
        if len(shape) > 1 and is_line(shape, features):
            found.append((name, tuple(shape)))
    return tuple(found)
