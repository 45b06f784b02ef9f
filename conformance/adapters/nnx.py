"""Driving a live ``flax.nnx.Module`` as a ``Layer``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from conformance.adapters.device_put import put_on_device
from conformance.adapters.protocols import ARRAYS, COUNT, MANY, STATISTICS, Config
from conformance.adapters.rngs import construct


def apply(module: Any, x: Any, use_running_average: Any) -> Any:
    """Call the module; one function for all, so that transforms can cache by its identity."""
    return module(x, use_running_average=use_running_average)


def train(module: Any, x: Any) -> Any:
    """Call the module in training mode; for transforms that map over every argument."""
    return apply(module, x, False)


def evaluate(module: Any, x: Any) -> Any:
    """Call the module in evaluation mode; likewise."""
    return apply(module, x, True)


def copy_through_numpy(tree: Any) -> Any:
    """Return the tree with all values copied to NumPy and back, as saving and loading does."""
    return jax.tree.map(_stored, tree)


def _stored(leaf: Any) -> Any:
    held = jnp.asarray(to_numpy(leaf))
    return (
        jax.random.wrap_key_data(held, impl=jax.random.key_impl(leaf))
        if is_random_key(leaf)
        else held
    )


def is_random_key(leaf: Any) -> bool:
    """Return whether a leaf of the state is a typed random key, which NumPy has no form for."""
    return jnp.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key)


def to_numpy(leaf: Any) -> np.ndarray[Any, Any]:
    """Copy a leaf of the state to NumPy; a key by its data."""
    return np.array(jax.random.key_data(leaf) if is_random_key(leaf) else leaf)


def split_and_merge(module: Any) -> Any:
    """Split a module, copy its state to NumPy and back, and merge."""
    graphdef, state = nnx.split(module)
    return nnx.merge(graphdef, copy_through_numpy(state))


@dataclass(frozen=True, slots=True)
class NnxLayer:
    """A module and the attribute name of each of its four arrays, and of its count if it has one.

    A name with dots leads into the modules inside, "bn.scale".

    Values are read as the module holds them, Variables and bare arrays alike: whether an
    attribute is a Variable is for a requirement to judge, not for the adapter.
    """

    module: Any
    attributes: Mapping[str, str]

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return apply(self.module, x, use_running_average)

    def holder(self, array: str) -> Any:
        """Return the attribute that holds the array: a Variable, a bare array or None."""
        owner, name = self._place(array)
        return getattr(owner, name, None)

    def _place(self, array: str) -> tuple[Any, str]:
        """Return the module that has the attribute, and the attribute's own name."""
        owner, (*inside, name) = self.module, self.attributes[array].split(".")
        for part in inside:
            owner = getattr(owner, part, None)
        return owner, name

    def read(self) -> dict[str, Any]:
        held = {array: self.holder(array) for array in (*ARRAYS, COUNT) if array in self.attributes}
        return {
            array: value.get_value() if isinstance(value, nnx.Variable) else value
            for array, value in held.items()
            if value is not None
        }

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        if COUNT in self.attributes and any(name in values for name in STATISTICS):
            values = {COUNT: np.asarray(MANY), **values}
        arrays = put_on_device(*values.values())
        for (array, value), given in zip(values.items(), arrays, strict=True):
            holder = self.holder(array)
            if not isinstance(holder, nnx.Variable):
                bare = int(value) if array == COUNT else given
                setattr(*self._place(array), bare)
                continue
            current = holder.get_value()
            if isinstance(current, jax.Array) and current.shape != value.shape:
                holder[...] = given  # an unusual layout, (1, D) say, is kept
            else:
                dtype = getattr(current, "dtype", None)  # naming it costs as much again
                same = dtype == value.dtype
                holder.set_value(given if same else jnp.asarray(value, dtype))

    def around(self, module: Any) -> NnxLayer:
        """Return the same view of another module, such as a clone or a restored copy."""
        return NnxLayer(module, self.attributes)

    def restored(self) -> NnxLayer:
        return self.around(split_and_merge(self.module))

    def attributes_now(self) -> dict[str, str]:
        """Return what is no Variable and no array, by its repr, of modules inside as well."""
        return {
            ".".join(map(str, (*path, name))): repr(value)
            for path, inside in nnx.iter_graph(self.module)
            if isinstance(inside, nnx.Module)
            for name, value in vars(inside).items()
            if not name.startswith("_pytree__")
            and not isinstance(value, nnx.Variable | jax.Array | np.ndarray | nnx.Pytree)
        }


def build_layer(
    module: Callable[..., Any],
    config: Config,
    keywords: Mapping[str, str],
    attributes: Mapping[str, str],
    arguments: Mapping[str, Any],
) -> NnxLayer:
    """Construct the module from a config, under its own names for the arguments."""
    given = {
        keywords["features"]: config.features,
        keywords["momentum"]: config.momentum,
        keywords["eps"]: config.eps,
    }
    return NnxLayer(construct(module, config.seed, {**given, **arguments}), attributes)
