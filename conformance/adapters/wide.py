"""Layers of a wider domain as pure functions, compiled, mapped and differentiated as such.

Masks, named axes and dtypes meet transforms everywhere, and each combination compiles. So a
layer is one function ``f(held, x, use_running_average, mask) -> (y, held)``, and one program
per shape gives a training call, its gradients and an evaluation call at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.adapters.nnx import NnxLayer
from conformance.adapters.protocols import ARRAYS, PARAMETERS
from conformance.adapters.pure import SUMS, Held, Pure

MaskedPure = Callable[[Held, Any, Any, Any], tuple[Any, Held]]
"""``f(held, x, use_running_average, mask) -> (y, held after the call)``; the mask may be None."""


@dataclass(frozen=True, slots=True)
class WideLayer:
    """A pure function, equal for equal layers, and what it holds after construction."""

    pure: MaskedPure
    held: Held


@dataclass(frozen=True, slots=True)
class NnxPure:
    """A module without its arrays, as a pure function of them."""

    graphdef: Any
    attributes: tuple[tuple[str, str], ...]
    mask: str

    def __call__(self, held: Held, x: Any, flag: Any, mask: Any) -> tuple[Any, Held]:
        copied = jax.tree.map(lambda leaf: leaf, held["leaves"])  # Variables of this trace
        layer = NnxLayer(nnx.merge(self.graphdef, copied), dict(self.attributes))
        layer.write({name: held[name] for name in ARRAYS})
        given = {} if mask is None else {self.mask: mask}
        y = layer.module(x, use_running_average=flag, **given)
        return y, {**held, **layer.read()}


def split_layer(layer: Any, mask: str) -> WideLayer:
    """Take a module apart; the layer itself is not called."""
    graphdef, leaves = nnx.split(layer.module)
    pure = NnxPure(graphdef, tuple(layer.attributes.items()), mask)
    return WideLayer(pure, {**layer.read(), "leaves": leaves})


def long_trained(pure: Pure) -> MaskedPure:
    """Return a layer without masks that holds ``MANY`` updates: its sums are its averages."""

    def wide(held: Held, x: Any, use_running_average: Any, mask: Any) -> tuple[Any, Held]:
        del mask  # there is none
        sums = {own: held[name] for name, own in SUMS.items()}
        y, after = pure({**held, **sums}, x, use_running_average)
        return y, {name: after[name] for name in ARRAYS}

    return wide


class Results(NamedTuple):
    """What one program gives; where a batch is spread over lanes, all but gradients by lane.

    ``y`` and ``after``, the four arrays, are those of a training call; ``gradients`` those of
    Σ w·y with respect to gamma, beta and x, or empty without w; ``evaluated`` is the output of an
    evaluation call from the same arrays as the training call.
    """

    y: Any
    after: Held
    gradients: tuple[Any, ...]
    evaluated: Any


class Lanes(NamedTuple):
    """How a batch (S, n, D) is spread: by ``jax.vmap``, or on devices by ``jax.shard_map``."""

    axis_name: str
    shards: int
    on_devices: bool


def run(
    layer: WideLayer, x: Any, w: Any = None, mask: Any = None, lanes: Lanes | None = None
) -> Results:
    """Train, differentiate and evaluate from what the layer holds, as one compiled program."""
    return Results(*_run(layer.pure, lanes, layer.held, x, w, mask))


@partial(jax.jit, static_argnums=(0, 1))
def _run(
    pure: MaskedPure, lanes: Lanes | None, held: Held, x: Any, w: Any, mask: Any
) -> tuple[Any, ...]:
    call = _called if lanes is None else _spread(lanes, masked=mask is not None)

    def train(gamma: Any, beta: Any, x: Any) -> tuple[Any, Held]:
        return call(pure, False, {**held, "gamma": gamma, "beta": beta}, x, mask)

    gamma, beta = (held[name] for name in PARAMETERS)
    gradients: tuple[Any, ...] = ()
    if w is None:
        y, after = train(gamma, beta, x)
    else:
        y, pullback, after = jax.vjp(train, gamma, beta, x, has_aux=True)
        fits = jnp.shape(w) == y.shape  # another shape of y is for the caller to tell
        gradients = pullback(jnp.asarray(w, y.dtype) if fits else jnp.zeros_like(y))
    if lanes is not None:  # in evaluation nothing is shared: no axis is bound, and none is needed
        x, mask = x.reshape(-1, x.shape[-1]), None
    evaluated, _ = _called(pure, True, held, x, mask)
    return y, after, gradients, evaluated


def _called(pure: MaskedPure, flag: bool, held: Held, x: Any, mask: Any) -> tuple[Any, Held]:
    y, after = pure(held, x, flag, mask)
    return y, {name: after[name] for name in ARRAYS}


def _spread(lanes: Lanes, *, masked: bool) -> Callable[..., tuple[Any, Held]]:
    """Return the call on a batch that is spread over the lanes; arrays are the same for all."""
    mapped = (0, 0) if masked else (0, None)
    here, everywhere = jax.P(lanes.axis_name), jax.P()

    def spread(pure: MaskedPure, flag: bool, held: Held, x: Any, mask: Any) -> Any:
        call = partial(_called, pure, flag)
        if not lanes.on_devices:
            over = jax.vmap(call, in_axes=(None, *mapped), axis_name=lanes.axis_name)
            return over(held, x, mask)
        over = jax.shard_map(
            partial(_on_one_device, call),
            mesh=jax.sharding.Mesh(jax.devices("cpu")[: lanes.shards], (lanes.axis_name,)),
            in_specs=(everywhere, here, here if masked else everywhere),
            out_specs=(here, here),
            check_vma=False,  # a correct custom_vjp need not say what varies
        )
        return over(held, x, mask)

    return spread


def _on_one_device(call: Callable[..., Any], held: Held, x: Any, mask: Any) -> Any:
    given = None if mask is None else mask[0]
    return jax.tree.map(lambda leaf: leaf[None], call(held, x[0], given))
