"""Drives a live ``flax.nnx.Module`` as a ``Layer``."""

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
    """Call the module; one function, because transforms cache by its identity.

    Args:
        module: The ``nnx.Module``.
        x: The input, (N, D).
        use_running_average: True to evaluate, false to train.

    Returns:
        y, (N, D).
    """
    return module(x, use_running_average=use_running_average)


def train(module: Any, x: Any) -> Any:
    """Call the module in training mode, for transforms that map over every argument."""
    return apply(module, x, False)


def evaluate(module: Any, x: Any) -> Any:
    """Call the module in evaluation mode, for transforms that map over every argument."""
    return apply(module, x, True)


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


@dataclass(frozen=True, slots=True)
class NnxLayer:
    """A module and the names of the attributes with its arrays.

    Variables and bare arrays are read alike: whether an attribute is a Variable is for a
    requirement to judge, not for the adapter.

    Attributes:
        module: The ``nnx.Module``.
        attributes: Attribute names by the names in ``ARRAYS``, and by ``COUNT`` for a layer that
            counts its updates. A name with dots, "bn.scale", is that of a submodule's attribute.
    """

    module: Any
    attributes: Mapping[str, str]

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return apply(self.module, x, use_running_average)

    def holder(self, array: str) -> Any:
        """Return the attribute that holds the array: a Variable, a bare array or None."""
        owner, name = self._locate(array)
        return getattr(owner, name, None)

    def _locate(self, array: str) -> tuple[Any, str]:
        """Return the module with the attribute, and the attribute's name in it."""
        owner, (*path, name) = self.module, self.attributes[array].split(".")
        for part in path:
            owner = getattr(owner, part, None)
        return owner, name

    def read(self) -> dict[str, Any]:
        names = [array for array in (*ARRAYS, COUNT) if array in self.attributes]
        holders = {array: self.holder(array) for array in names}
        return {
            array: holder.get_value() if isinstance(holder, nnx.Variable) else holder
            for array, holder in holders.items()
            if holder is not None
        }

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        if COUNT in self.attributes and any(name in values for name in STATISTICS):
            values = {COUNT: np.asarray(MANY), **values}
        arrays = put_on_device(*values.values())
        for (array, value), on_device in zip(values.items(), arrays, strict=True):
            holder = self.holder(array)
            if not isinstance(holder, nnx.Variable):
                setattr(*self._locate(array), int(value) if array == COUNT else on_device)
                continue
            current = holder.get_value()
            if isinstance(current, jax.Array) and current.shape != value.shape:
                holder[...] = on_device  # keeps an unusual layout, such as (1, D)
            else:
                dtype = getattr(current, "dtype", None)
                same = dtype == value.dtype  # converting to the same dtype would double the cost
                holder.set_value(on_device if same else jnp.asarray(value, dtype))

    def around(self, module: Any) -> NnxLayer:
        """Return a layer for another module of the class, such as a clone or a restored copy."""
        return NnxLayer(module, self.attributes)

    def restored(self) -> NnxLayer:
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


def build_layer(
    module: Callable[..., Any],
    config: Config,
    keywords: Mapping[str, str],
    attributes: Mapping[str, str],
    arguments: Mapping[str, Any],
) -> NnxLayer:
    """Construct the module from a config, with its names for the arguments.

    Args:
        module: The class, or another callable that returns a module.
        config: Features, momentum, eps and seed.
        keywords: Names of constructor arguments, by ``features``, ``momentum`` and ``eps``.
        attributes: Names of attributes, by those in ``ARRAYS`` and ``COUNT``.
        arguments: Further constructor arguments.
    """
    named = {
        keywords["features"]: config.features,
        keywords["momentum"]: config.momentum,
        keywords["eps"]: config.eps,
    }
    return NnxLayer(construct(module, config.seed, {**named, **arguments}), attributes)
