"""The operations that evaluate a call expression by expression, for the line of a mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core, linear_util

from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.expressions import describe, function_of, innermost_frames
from conformance.adapters.protocols import Layer
from conformance.adapters.wide import WideLayer


def trace_call(layer: Layer, x: Any, flag: bool) -> list[dict[str, Any]]:
    """Return what each expression of the implementation computes in a call on x, (N, D).

    The call is traced without its own jit, so that no equation is from an earlier trace. The
    layer keeps its state. Nothing is returned for layers that JAX cannot trace.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        flag: The value of ``use_running_average``.

    Returns:
        By expression, as computed: ``file``, ``line``, ``column``, ``end_line``, ``end_column``
        (from 1, the end excluded), ``text``, its source, ``values``, what it hands to others:
        arrays of at most 64 numbers, ``operands``, what others have computed for it, and
        ``constants``, the numbers in it.
    """

    def trace() -> Iterator[dict[str, Any]]:
        traced = function_of(layer, flag)
        if traced is None:
            return
        function, state = traced
        closed = jax.make_jaxpr(function)(state, jnp.asarray(x))
        given = jax.tree.leaves((state, jnp.asarray(x)))
        yield from describe(closed.jaxpr, closed.consts, given)

    return _attempt(trace)


def trace_gradient(layer: Layer, x: Any, w: Any, flag: bool) -> list[dict[str, Any]]:
    """Return what each expression of a backward pass written by hand computes, as trace_call does.

    Expressions that the call itself evaluates are left out: what JAX derives from them is its own.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        flag: The value of ``use_running_average``.
    """

    def trace() -> Iterator[dict[str, Any]]:
        traced = function_of(layer, flag)
        if traced is None:
            return
        function, state = traced
        batch, cotangent = jnp.asarray(x), jnp.asarray(w)
        forward = jax.make_jaxpr(lambda s, b: function(s, b)[0])(state, batch)

        def pull(state: Any, batch: Any, cotangent: Any) -> Any:
            y, pullback = jax.vjp(lambda s, b: function(s, b)[0], state, batch)
            return pullback(cotangent.reshape(y.shape).astype(y.dtype))

        given = jax.tree.leaves((state, batch))
        closed = jax.make_jaxpr(pull)(state, batch, cotangent)
        derived = frozenset(innermost_frames(forward.jaxpr))
        yield from describe(closed.jaxpr, closed.consts, [*given, cotangent], derived)
        for backward, operands in _backward_passes(forward, given, cotangent):
            made = jax.make_jaxpr(backward)(*operands)
            yield from describe(made.jaxpr, made.consts, operands)

    return _attempt(trace)


def trace_forward(
    implementation: Implementation, seed: Any, x: Any, flag: Any
) -> list[dict[str, Any]]:
    """Return what each expression of the forward function computes, as trace_call does.

    Args:
        implementation: What has the function.
        seed: The seed.
        x: The batch, (N, D).
        flag: The value of ``use_running_average``.
    """

    def trace() -> Iterator[dict[str, Any]]:
        forward = implementation.forward
        assert forward is not None, "gated by Capability.FORWARD"  # noqa: S101
        batch = jnp.asarray(x)
        closed = jax.make_jaxpr(lambda batch: forward(seed, batch, flag))(batch)
        yield from describe(closed.jaxpr, closed.consts, [batch])

    return _attempt(trace)


def trace_program(layer: WideLayer, x: Any, mask: Any, flag: bool) -> list[dict[str, Any]]:
    """Return what each expression of a layer of the extended domain computes, as trace_call does.

    Args:
        layer: The layer.
        x: The batch, in the layout of the layer.
        mask: The elements that count, in a shape that broadcasts; None for all.
        flag: The value of ``use_running_average``.
    """

    def trace() -> Iterator[dict[str, Any]]:
        def call(arrays: Any, x: Any, mask: Any) -> Any:
            return layer.pure(arrays, x, flag, mask)

        given = layer.arrays, jnp.asarray(x), None if mask is None else jnp.asarray(mask)
        closed = jax.make_jaxpr(call)(*given)
        yield from describe(closed.jaxpr, closed.consts, jax.tree.leaves(given))

    return _attempt(trace)


def _attempt(trace: Callable[[], Iterator[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the expressions that are traced; none where JAX cannot trace them."""
    try:
        with jax.disable_jit():
            return [*trace()]
    except Exception:  # noqa: BLE001  what cannot be traced has no equations
        return []


def _backward_passes(
    forward: core.ClosedJaxpr, given: Sequence[Any], cotangent: Any
) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Return the backward functions that a call uses, with their arguments.

    JAX says of their equations that they are from the call: so they are traced by themselves.
    """
    found: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []

    def note(eqn: core.JaxprEqn) -> core.JaxprEqn:
        backward = eqn.params.get("bwd")
        if backward is None:
            return eqn

        def noted(*operands: Any) -> Any:
            found.append((backward.call_wrapped, operands))
            return backward.call_wrapped(*operands)

        wrapped = linear_util.wrap_init(noted, debug_info=backward.debug_info)
        return eqn.replace(params={**eqn.params, "bwd": wrapped})

    jaxpr = forward.jaxpr.replace(eqns=[note(eqn) for eqn in forward.jaxpr.eqns])
    function = core.jaxpr_as_fun(core.ClosedJaxpr(jaxpr, forward.consts))
    (y,), pull = jax.vjp(function, *given)
    pull([cotangent.reshape(y.shape).astype(y.dtype)])
    return found
