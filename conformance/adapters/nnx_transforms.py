"""An ``nnx.Module`` under the transforms of JAX and NNX."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.adapters.array_parts import keys_of, split_part, take_part
from conformance.adapters.calling import Calling
from conformance.adapters.nnx import NnxLayer, flatten, value_of
from conformance.adapters.protocols import PARAMETERS, Layer

Path = tuple[Any, ...]
"""Of a leaf in the state of a module; of a part of one, with its key."""


def merged_call(
    calling: Calling, graphdef: Any, state: Any, x: Any, *, evaluate: bool
) -> tuple[Any, Any]:
    """Return y and the new state of a module that is merged, called and split.

    Args:
        calling: How the module is called.
        graphdef: The graph definition of the module.
        state: Its state.
        x: The batch, (N, D).
        evaluate: Whether the call evaluates.
    """
    module = nnx.merge(graphdef, state)
    y = calling.apply(module, x, evaluate)
    return y, nnx.state(module)


@dataclass(frozen=True, slots=True)
class NnxTransforms:
    """A live module under transforms; see ``conformance.adapters.protocols.Transforms``.

    Compiled functions are kept at module level, by the graph definition and its shapes.
    """

    layer: NnxLayer
    library: str = "nnx"

    @property
    def _calling(self) -> Calling:
        return self.layer.access.calling

    def call_jitted(self, x: Any, *, evaluate: bool) -> Any:
        return jitted(self._calling)(self.layer.module, x, evaluate)

    def compile_anew(self, traced: list[bool]) -> Callable[[Any, bool], Any]:
        def call(module: Any, x: Any, flag: bool) -> Any:
            traced.append(flag)
            return self._calling.apply(module, x, flag)

        program = nnx.jit(call, static_argnums=2)
        return lambda x, flag: program(self.layer.module, x, flag)

    def call_pure(self, x: Any, *, evaluate: bool) -> tuple[Any, Layer]:
        graphdef, state = nnx.split(self.layer.module)
        y, after = _functional(self._calling, graphdef, state, x, evaluate)
        return y, self._around(nnx.merge(graphdef, after))

    def call_stacked(
        self, others: Sequence[Layer], xs: Any, *, evaluate: bool
    ) -> tuple[Any, Layer]:
        modules = [self.layer.module, *(cast("NnxLayer", other).module for other in others)]
        graphdef = nnx.graphdef(self.layer.module)
        stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *map(nnx.state, modules))
        stacked = nnx.merge(graphdef, stack)
        return _vmapped(self._calling, evaluate)(stacked, xs), self._around(stacked)

    def train_lanes(self, xs: Any) -> tuple[Any, list[Layer]]:
        graphdef, state = nnx.split(self.layer.module)
        ys, after = _lanes(self._calling, graphdef, state, xs, False)
        of_lane = (jax.tree.map(lambda leaf, i=i: leaf[i], after) for i in range(len(xs)))
        return ys, [self._around(nnx.merge(graphdef, one)) for one in of_lane]

    def evaluate_lanes(self, xs: Any) -> list[Any]:
        graphdef, state = nnx.split(self.layer.module)
        lanes = (self._calling, graphdef, state, xs)
        return [_lanes(*lanes, True)[0], _nnx_lanes(*lanes)]

    def train_scanned(self, xs: Any) -> Any:
        return _scanned(self._calling)(self.layer.module, xs)[1]

    def differentiate_rematerialized(self, x: Any, w: Any) -> dict[str, Any]:
        _, gradients = _rematerialized(self._calling)(self.layer.module, x, w)
        return gradients_of_params(self.layer, gradients)

    def train_twice(self, x: Any) -> Any:
        return _twice(self._calling)(self.layer.module, x)[0]

    def _around(self, module: Any) -> Layer:
        return self.layer.around(module)


@partial(jax.jit, static_argnums=(0, 1, 4))
def _functional(
    calling: Calling, graphdef: Any, state: Any, x: Any, evaluate: bool
) -> tuple[Any, Any]:
    return merged_call(calling, graphdef, state, x, evaluate=evaluate)


@partial(jax.jit, static_argnums=(0, 1, 4))
def _lanes(calling: Calling, graphdef: Any, state: Any, xs: Any, evaluate: bool) -> tuple[Any, Any]:
    call = partial(merged_call, calling, graphdef, evaluate=evaluate)
    mapped: tuple[Any, Any] = jax.vmap(call, in_axes=(None, 0))(state, xs)
    return mapped


@partial(jax.jit, static_argnums=(0, 1))
def _nnx_lanes(calling: Calling, graphdef: Any, state: Any, xs: Any) -> Any:
    """Evaluate one layer on each batch, by nnx.vmap.

    Each lane has a copy: a layer that writes its statistics in evaluation, the same values as
    before, is right, and nnx.vmap refuses to let lanes write to a layer that they share.
    """

    def lane(x: Any) -> Any:
        copied = jax.tree.map(jnp.asarray, state)  # Variables of this lane, with the same values
        return merged_call(calling, graphdef, copied, x, evaluate=True)[0]

    return nnx.vmap(lane)(xs)


def path_of(layer: NnxLayer, name: str) -> Path:
    """Return the path of one of the named arrays in the state of the module.

    An attribute may be a property that returns the Variable of a module inside.
    """
    return (*path_at(layer, layer.attributes[name]), *layer.access.parts.get(name, ()))


def path_at(layer: NnxLayer, attribute: str) -> Path:
    """Return the path of an attribute, by its name with dots, in the state of the module."""
    held = layer.held_at(attribute)
    for path, node in nnx.iter_graph(layer.module):
        if node is held and path:
            return tuple(path)
    return tuple(split_part(attribute)[0].split("."))


def split_leaves(layer: NnxLayer, leaves: Mapping[Path, Any]) -> dict[Path, Any]:
    """Return leaves by path, and in the place of one that holds several arrays its parts."""
    split = {path_at(layer, layer.attributes[name]) for name in layer.access.parts}
    found: dict[Path, Any] = {}
    for path, leaf in leaves.items():
        keys = keys_of(leaf) if path in split else ()
        parts = {(*path, key): take_part(leaf, (key,)) for key in keys}
        found |= parts or {path: leaf}
    return found


def gradients_of_params(layer: NnxLayer, gradients: Any) -> dict[str, Any]:
    """Return the gradients of gamma and beta in what ``nnx.grad`` returned, if they are there.

    Args:
        layer: The layer that was differentiated.
        gradients: The state that ``nnx.grad`` returned.
    """
    found = dict(nnx.to_flat_state(gradients))
    own = {name: layer.attributes[name] for name in PARAMETERS if name in layer.attributes}
    paths = {name: path_at(layer, attribute) for name, attribute in own.items()}
    there = {name: found[path] for name, path in paths.items() if path in found}
    for name in layer.access.parts.keys() & there.keys():
        there[name] = take_part(value_of(there[name]), layer.access.parts[name])
    for name in layer.access.unusual.keys() & there.keys():
        there[name] = flatten(there[name][...], layer.access.unusual[name])
    return there


@cache
def jitted(calling: Calling) -> Any:
    """Return the program for calls of a module, of x, (N, D), and of the mode."""
    return nnx.jit(calling.apply, static_argnums=2)


@cache
def _vmapped(calling: Calling, evaluate: bool) -> Any:
    return nnx.jit(nnx.vmap(lambda module, x: calling.apply(module, x, evaluate)))


@cache
def _scanned(calling: Calling) -> Any:
    def step(module: Any, x: Any) -> tuple[Any, Any]:
        return module, calling.apply(module, x, False)

    return nnx.jit(nnx.scan(step, in_axes=(nnx.Carry, 0), out_axes=(nnx.Carry, 0)))


@cache
def _rematerialized(calling: Calling) -> Any:
    def weighted_sum(module: Any, x: Any, w: Any) -> Any:
        remat = nnx.remat(lambda module, x: calling.apply(module, x, False))
        return jnp.sum(w * remat(module, x))

    return nnx.jit(nnx.value_and_grad(weighted_sum))


@cache
def _twice(calling: Calling) -> Any:
    def train_twice(module: Any, x: Any) -> tuple[Any, Any]:
        first = calling.apply(module, x, False)
        return first, calling.apply(module, first, False)

    return nnx.jit(train_twice)
