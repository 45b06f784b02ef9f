"""Correct pure layers with custom rules for transforms."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from conformance.adapters.protocols import Config
from conformance.adapters.pure import Arrays, PureLayer
from impl.functional import FunctionalBatchNorm
from impl.stepwise import Array
from impl.variants.record import variant


@variant("functional")
class Functional(FunctionalBatchNorm):
    """Batch Normalization as a pure function of its arrays."""


@variant("functional-compiled-inside")
class CompiledInside(FunctionalBatchNorm):
    """The layer compiles and rematerializes training calls, and counts them."""

    @classmethod
    def layer(cls, config: Config) -> PureLayer:
        made = super().layer(config)
        return PureLayer(made.pure, {**made.arrays, "calls": jnp.zeros((), jnp.int32)})

    def __call__(self, arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        if use_running_average:
            return super().__call__(arrays, x, use_running_average)
        y, after = self.train(arrays, x)
        return y, {**after, "calls": arrays["calls"] + 1}

    @partial(jax.jit, static_argnums=0)
    def train(self, arrays: Arrays, x: Any) -> tuple[Any, Arrays]:
        called = super().__call__
        trained: tuple[Any, Arrays] = jax.checkpoint(lambda arrays, x: called(arrays, x, False))(
            arrays, x
        )
        return trained


@jax.custom_batching.custom_vmap
def _averaged(x: Array) -> Array:
    return jnp.mean(x, axis=0)


@_averaged.def_vmap
def _averaged_lanes(size: int, batched: Any, x: Array) -> Any:
    del size, batched
    return jnp.mean(x, axis=1), True


@partial(jax.custom_jvp)
def _mean(x: Array) -> Array:
    return _averaged(x)


@_mean.defjvp
def _mean_tangent(primals: Any, tangents: Any) -> Any:
    (x,), (moved,) = primals, tangents
    return _mean(x), jnp.mean(moved, axis=0)


@variant("functional-own-rules")
class OwnRules(FunctionalBatchNorm):
    """The mean has a custom batching rule and a custom derivative."""

    def batch_mean(self, x: Any) -> Array:
        return _mean(x)
