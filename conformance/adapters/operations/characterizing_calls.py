"""Operations that only MAY rows take: what no requirement covers."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.adapters.nnx import NnxLayer
from conformance.adapters.nnx_gradients import NnxCall
from conformance.adapters.operations.values import numbers
from conformance.adapters.protocols import ARRAYS, Layer
from conformance.adapters.pure import PureCall, PureLayer
from conformance.adapters.wide import WideLayer


def call_traced(layer: Layer, x: Any, flag: bool) -> Any:
    """Call a layer on x, (N, D), under jit with the flag as a traced argument; return y, (N, D)."""
    if isinstance(layer, PureLayer):
        # partial, because JAX ends the process when it compiles an object with slots
        program = jax.jit(partial(layer.pure))
        y, layer.arrays = program(layer.arrays, jnp.asarray(x), jnp.asarray(flag))
        return numbers(y)
    driven = cast("NnxLayer", layer)
    call = nnx.jit(driven.access.calling.apply)
    return numbers(call(driven.module, jnp.asarray(x), jnp.asarray(flag)))


def push_forward(call: NnxCall | PureCall, x: Any, t: Any) -> Any:
    """Return the derivative of y along t, (N, D), at x, (N, D), by ``jax.jvp``."""
    return numbers(jax.jvp(call.output, (x,), (t,))[1])


def differentiate_twice(
    call: NnxCall | PureCall, x: Any, w: Any, t: Any, forward_mode: bool
) -> Any:
    """Return the derivative of the gradient of Σ w·y along t, (N, D), at x, (N, D).

    Args:
        call: The call.
        x: The input, (N, D).
        w: The cotangent of y, (N, D).
        t: The tangent of x, (N, D).
        forward_mode: Whether the gradient is differentiated by ``jax.jvp``, or by ``jax.grad``.
    """
    gradient = jax.grad(lambda x: (call.output(x) * w).sum())
    if forward_mode:
        return numbers(jax.jvp(gradient, (x,), (t,))[1])
    return numbers(jax.grad(lambda x: (gradient(x) * t).sum())(x))


def train_masked(layer: WideLayer, x: Any, mask: Any) -> dict[str, Any]:
    """Train on x, (N, D), with a mask of any dtype; return the four arrays after it, each (D,)."""
    after = layer.pure(layer.arrays, x, False, mask)[1]
    return {name: numbers(after[name]) for name in ARRAYS}
