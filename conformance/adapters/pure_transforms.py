"""Pure layers under the transforms of JAX: ``jax.jit``, ``vmap``, ``lax.scan``, ``checkpoint``.

Compiled functions are kept at module level, by the pure function and its shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp

from conformance.adapters.protocols import PARAMETERS, Layer

if TYPE_CHECKING:
    from conformance.adapters.pure import Held, Pure, PureLayer


@dataclass(frozen=True, slots=True)
class PureTransforms:
    """A pure layer under transforms; see ``conformance.adapters.protocols.Transforms``."""

    layer: PureLayer
    library: str = "jax"

    def jitted(self, x: Any, *, evaluate: bool) -> Any:
        y, self.layer.held = _jitted(self.layer.pure, self.layer.held, x, evaluate)
        return y

    def jitted_anew(self, traced: list[bool]) -> Callable[[Any, bool], Any]:
        layer = self.layer

        def call(held: Held, x: Any, flag: bool) -> tuple[Any, Held]:
            traced.append(flag)
            return layer.pure(held, x, flag)

        program = jax.jit(call, static_argnums=2)

        def called(x: Any, flag: bool) -> Any:
            y, layer.held = program(layer.held, x, flag)
            return y

        return called

    def apart(self, x: Any, *, evaluate: bool) -> tuple[Any, Layer]:
        y, after = _jitted(self.layer.pure, self.layer.held, x, evaluate)
        return y, self._holding(after)

    def stacked(self, others: Sequence[Layer], xs: Any, *, evaluate: bool) -> tuple[Any, Layer]:
        layers = [self.layer, *(cast("PureLayer", other) for other in others)]
        stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(one.held for one in layers))
        ys, after = _ensemble(self.layer.pure, stack, xs, evaluate)
        return ys, self._holding(after)

    def lanes(self, xs: Any) -> tuple[Any, list[Layer]]:
        ys, after = _lanes(self.layer.pure, self.layer.held, xs, False)
        of_lane = (jax.tree.map(lambda leaf, i=i: leaf[i], after) for i in range(len(xs)))
        return ys, [self._holding(held) for held in of_lane]

    def evaluated_lanes(self, xs: Any) -> list[Any]:
        return [_lanes(self.layer.pure, self.layer.held, xs, True)[0]]

    def scanned(self, xs: Any) -> Any:
        self.layer.held, ys = _scanned(self.layer.pure, self.layer.held, xs)
        return ys

    def rematerialized(self, x: Any, w: Any) -> dict[str, Any]:
        gradients, self.layer.held = _rematerialized(self.layer.pure, self.layer.held, x, w)
        return dict(gradients)

    def twice(self, x: Any) -> Any:
        first, self.layer.held = _twice(self.layer.pure, self.layer.held, x)
        return first

    def _holding(self, held: Held) -> Layer:
        other = copy(self.layer)
        other.held = held
        return other


@partial(jax.jit, static_argnums=(0, 3))
def _jitted(pure: Pure, held: Held, x: Any, evaluate: bool) -> tuple[Any, Held]:
    return pure(held, x, evaluate)


@partial(jax.jit, static_argnums=(0, 3))
def _ensemble(pure: Pure, stack: Held, xs: Any, evaluate: bool) -> Any:
    return jax.vmap(lambda held, x: pure(held, x, evaluate))(stack, xs)


@partial(jax.jit, static_argnums=(0, 3))
def _lanes(pure: Pure, held: Held, xs: Any, evaluate: bool) -> Any:
    return jax.vmap(lambda x: pure(held, x, evaluate))(xs)


@partial(jax.jit, static_argnums=0)
def _scanned(pure: Pure, held: Held, xs: Any) -> Any:
    def step(held: Held, x: Any) -> tuple[Held, Any]:
        y, after = pure(held, x, False)
        return after, y

    return jax.lax.scan(step, held, xs)


@partial(jax.jit, static_argnums=0)
def _rematerialized(pure: Pure, held: Held, x: Any, w: Any) -> Any:
    call = jax.checkpoint(lambda held, x: pure(held, x, False))

    def loss(parameters: Held) -> tuple[Any, Held]:
        y, after = call({**held, **parameters}, x)
        return jnp.sum(w * y), after

    return jax.grad(loss, has_aux=True)({name: held[name] for name in PARAMETERS})


@partial(jax.jit, static_argnums=0)
def _twice(pure: Pure, held: Held, x: Any) -> tuple[Any, Held]:
    first, after = pure(held, x, False)
    return first, pure(after, first, False)[1]
