"""Layers of the extended domain as pure functions, which are compiled, mapped and differentiated.

Masks, named axes and dtypes combine with every transform, and each combination compiles. So a
layer is one function ``f(arrays, x, use_running_average, mask) -> (y, arrays)``, and one program
per shape computes a training call, its gradients and an evaluation call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.adapters.domain import Lanes, Results
from conformance.adapters.nnx import Access, NnxLayer
from conformance.adapters.protocols import ARRAYS, PARAMETERS
from conformance.adapters.pure import Arrays

MaskedPure = Callable[[Arrays, Any, Any, Any], tuple[Any, Arrays]]
"""``f(arrays, x, use_running_average, mask) -> (y, arrays after the call)``; mask may be None."""


@dataclass(frozen=True, slots=True)
class WideLayer:
    """A pure function, equal for equal layers, and its arrays after construction."""

    pure: MaskedPure
    arrays: Arrays


@dataclass(frozen=True, slots=True)
class NnxPure:
    """A module without its arrays, as a pure function of them."""

    graphdef: Any
    access: Access
    mask: str

    def __call__(self, arrays: Arrays, x: Any, flag: Any, mask: Any) -> tuple[Any, Arrays]:
        copied = jax.tree.map(lambda leaf: leaf, arrays["leaves"])  # Variables of this trace
        layer = NnxLayer(nnx.merge(self.graphdef, copied), self.access)
        layer.write({name: arrays[name] for name in ARRAYS})
        layout = self.access.calling.layout
        keywords = {} if mask is None else {self.mask: layout.spread_mask(mask)}
        y = self.access.calling.apply(layer.module, x, flag, **keywords)
        return y, {**arrays, **layer.read()}


def split_layer(layer: Any, mask: str) -> WideLayer:
    """Split an NNX layer into a pure function and its arrays, without calling it.

    Args:
        layer: A ``conformance.adapters.nnx.NnxLayer``.
        mask: Name of the call's argument for a mask; empty if it has none.
    """
    graphdef, leaves = nnx.split(layer.module)
    pure = NnxPure(graphdef, layer.access, mask)
    return WideLayer(pure, {**layer.read(), "leaves": leaves})


def run(
    layer: WideLayer, x: Any, w: Any = None, mask: Any = None, lanes: Lanes | None = None
) -> Results:
    """Train, differentiate and evaluate from the layer's arrays, as one compiled program.

    Args:
        layer: The layer; it is not changed.
        x: The input; (S, n, D) with lanes.
        w: The cotangent of y for the gradients, of the shape of y; None to leave them out.
        mask: The mask, in the shape that the layer takes; None for no mask.
        lanes: How the shards are mapped; None for one batch.
    """
    return Results(*_run(layer.pure, lanes, layer.arrays, x, w, mask))


@partial(jax.jit, static_argnums=(0, 1))
def _run(
    pure: MaskedPure, lanes: Lanes | None, arrays: Arrays, x: Any, w: Any, mask: Any
) -> tuple[Any, ...]:
    call = _call if lanes is None else _call_in_lanes(lanes, masked=mask is not None)

    def train(gamma: Any, beta: Any, x: Any) -> tuple[Any, Arrays]:
        return call(pure, False, {**arrays, "gamma": gamma, "beta": beta}, x, mask)

    gamma, beta = (arrays[name] for name in PARAMETERS)
    gradients: tuple[Any, ...] = ()
    if w is None:
        y, after = train(gamma, beta, x)
    else:
        y, pullback, after = jax.vjp(train, gamma, beta, x, has_aux=True)
        fits = jnp.shape(w) == y.shape  # another shape of y is for the caller to report
        gradients = pullback(jnp.asarray(w, y.dtype) if fits else jnp.zeros_like(y))
    if lanes is not None:  # evaluation shares nothing: no axis is bound, and none is needed
        x, mask = x.reshape(-1, x.shape[-1]), None
    evaluated, _ = _call(pure, True, arrays, x, mask)
    return y, after, gradients, evaluated


def _call(pure: MaskedPure, flag: bool, arrays: Arrays, x: Any, mask: Any) -> tuple[Any, Arrays]:
    y, after = pure(arrays, x, flag, mask)
    return y, {name: after[name] for name in ARRAYS}


def _call_in_lanes(lanes: Lanes, *, masked: bool) -> Callable[..., tuple[Any, Arrays]]:
    """Return the call on a batch in lanes; all lanes start from the same arrays."""
    mapped = (0, 0) if masked else (0, None)
    sharded, replicated = jax.P(lanes.axis_name), jax.P()

    def call_mapped(pure: MaskedPure, flag: bool, arrays: Arrays, x: Any, mask: Any) -> Any:
        call = partial(_call, pure, flag)
        if not lanes.on_devices:
            vmapped = jax.vmap(call, in_axes=(None, *mapped), axis_name=lanes.axis_name)
            return vmapped(arrays, x, mask)
        shard_mapped = jax.shard_map(
            partial(_on_one_device, call),
            mesh=jax.sharding.Mesh(jax.devices("cpu")[: lanes.shards], (lanes.axis_name,)),
            in_specs=(replicated, sharded, sharded if masked else replicated),
            out_specs=(sharded, sharded),
            check_vma=False,  # a correct custom_vjp need not declare what varies
        )
        return shard_mapped(arrays, x, mask)

    return call_mapped


def _on_one_device(call: Callable[..., Any], arrays: Arrays, x: Any, mask: Any) -> Any:
    shard_mask = None if mask is None else mask[0]
    return jax.tree.map(lambda leaf: leaf[None], call(arrays, x[0], shard_mask))
