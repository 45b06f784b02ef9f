"""The operations that evaluate a call expression by expression, for the line of a mistake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.call_programs import (
    BackwardProgram,
    CallProgram,
    program_of_call,
    program_of_gradient,
)
from conformance.adapters.operations.evaluation import Evaluation
from conformance.adapters.operations.expressions import describe, function_of
from conformance.adapters.operations.values import numbers
from conformance.adapters.protocols import Layer
from conformance.adapters.wide import WideLayer

Repairs = Sequence[Sequence[Sequence[Any]]]
"""Attempts: for each the number of a value and an array that takes its place, in pairs."""


def trace_call(layer: Layer, x: Any, flag: bool, repairs: Repairs | None) -> Any:
    """Return what each expression of the implementation computes in a call on x, (N, D).

    The call is traced without its own jit, so that no equation is from an earlier trace. The
    layer keeps its state. Nothing is returned for layers that JAX cannot trace.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        flag: The value of ``use_running_average``.
        repairs: For each attempt the numbers of some values, and arrays in their place, in pairs;
            None to trace.

    Returns:
        ``results``, y and the arrays after the call, by name; and ``expressions``, as computed:
        ``file``, ``line``, ``column``, ``end_line``, ``end_column`` (from 1, the end excluded),
        ``text``, its source, ``values``, what it hands to others: arrays of at most 4096 numbers,
        ``numbers``, by which repairs name them, ``operands``, the arrays that it uses, ``sources``,
        the positions of the expressions that have computed these (-1 for none), ``constants``, the
        numbers in it, ``callers``, the places of the calls around it, ``uses``, the places of the
        names that it is assigned to, and whether a place ``passes`` them on as they are, and
        ``reaches``, the names of the results that depend on it. With repairs: the results of each
        attempt, as a list, where everything that depends on the replaced values is computed anew.
    """

    def trace() -> CallProgram | None:
        traced = function_of(layer, flag, marked=True)
        return traced and program_of_call(traced, jnp.asarray(x))

    return _attempt(trace, repairs)


def trace_gradient(layer: Layer, x: Any, w: Any, flag: bool, repairs: Repairs | None) -> Any:
    """Return what each expression of a backward pass written by hand computes, as trace_call does.

    Expressions that the call itself evaluates are left out: what JAX derives from them is its own.
    The results are the gradients of Σ w·y with respect to x and the arrays, by name.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        flag: The value of ``use_running_average``.
        repairs: See trace_call.
    """

    def trace() -> CallProgram | BackwardProgram | None:
        traced = function_of(layer, flag, marked=True)
        return traced and program_of_gradient(traced, jnp.asarray(x), jnp.asarray(w))

    return _attempt(trace, repairs)


def trace_forward(
    implementation: Implementation, seed: Any, x: Any, flag: Any, repairs: Repairs | None
) -> Any:
    """Return what each expression of the forward function computes, as trace_call does.

    Args:
        implementation: What has the function.
        seed: The seed.
        x: The batch, (N, D).
        flag: The value of ``use_running_average``.
        repairs: See trace_call.
    """

    def trace() -> CallProgram:
        forward = implementation.forward
        assert forward is not None, "gated by Capability.FORWARD"  # noqa: S101
        return CallProgram.of(lambda b: {"y": forward(seed, b, flag)}, jnp.asarray(x))

    return _attempt(trace, repairs)


def trace_program(layer: WideLayer, x: Any, mask: Any, flag: bool) -> Any:
    """Return what each expression of a layer of the extended domain computes, as trace_call does.

    Args:
        layer: The layer.
        x: The batch, in the layout of the layer.
        mask: The elements that count, in a shape that broadcasts; None for all.
        flag: The value of ``use_running_average``.
    """

    def trace() -> CallProgram:
        given = layer.arrays, jnp.asarray(x), None if mask is None else jnp.asarray(mask)
        return CallProgram.of(lambda a, b, m: {"y": layer.pure(a, b, flag, m)[0]}, *given)

    return _attempt(trace, None)


def _attempt(
    trace: Callable[[], CallProgram | BackwardProgram | None], repairs: Repairs | None
) -> Any:
    """Return the expressions that are traced, or what repairs change; nothing without a trace."""
    try:
        with jax.disable_jit():
            program = trace()
            if program is None:
                return {}
            done = program.evaluate({})
            if repairs is None:
                expressions = [*describe(done, program.derived)]
                return {"expressions": expressions, "results": _plain(done.results)}
            return [_repair(program, done, each) for each in repairs]
    except Exception:  # noqa: BLE001  what cannot be traced has no equations
        return {}


def _repair(
    program: CallProgram | BackwardProgram, done: Evaluation, replaced: Sequence[Sequence[Any]]
) -> dict[str, Any]:
    try:
        return _plain(program.evaluate(dict(map(tuple, replaced)), done).results)
    except Exception:  # noqa: BLE001  what cannot be replaced
        return {}


def _plain(results: dict[str, Any]) -> dict[str, Any]:
    return {name: numbers(array) for name, array in results.items()}
