"""Operations that differentiate a call with respect to gamma, beta and x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from conformance.adapters.nnx import NnxLayer
from conformance.adapters.nnx_gradients import NnxCall
from conformance.adapters.operations.values import Live, numbers
from conformance.adapters.protocols import (
    Differentiable,
    DifferentiableCall,
    Layer,
    TwiceDifferentiableCall,
)


def _call_of(layer: Layer, x: Any, flag: bool) -> DifferentiableCall:
    """Return the call of a layer in its present state, to be differentiated."""
    if hasattr(layer, "call"):
        return cast("Differentiable", layer).call(x, evaluate=flag)
    return NnxCall.of(cast("NnxLayer", layer), x, evaluate=flag)


def prepare_call(layer: Layer, x: Any, flag: bool) -> Live:
    """Return a call on x, (N, D), at the present arrays of a layer, without making it."""
    return Live(_call_of(layer, x, flag))


def gradients(call: DifferentiableCall, w: Any) -> list[Any]:
    """Return the gradients of Σ w·y for gamma and beta, (D,), and x, (N, D), under jax.jit."""
    return [numbers(gradient) for gradient in call.gradients(w)]


def pull_back(call: DifferentiableCall, w: Any) -> list[Any]:
    """Return the gradients of Σ w·y as ``gradients`` does, operation by operation."""
    return [numbers(gradient) for gradient in call.pullback()(w)]


def run_forward(layer: Layer, x: Any, flag: bool) -> Live:
    """Run the forward pass on x, (N, D), and keep its backward pass."""
    return Live(_call_of(layer, x, flag).pullback())


def run_backward(pullback: Any, w: Any) -> list[Any]:
    """Run a backward pass of ``run_forward``; return what ``gradients`` does."""
    return [numbers(gradient) for gradient in pullback(w)]


def gradient_through_statistics(layer: Layer, x: Any, of_mean: Any, of_var: Any) -> Any:
    """Return the gradient of Σ of_mean·rm' + Σ of_var·rv' with respect to x, (N, D).

    Args:
        layer: The layer.
        x: The batch, (N, D).
        of_mean: The cotangent of the running mean after a training call, (D,).
        of_var: The cotangent of the running variance after a training call, (D,).
    """
    return numbers(_call_of(layer, x, False).through_statistics(of_mean, of_var))


def move_along(call: TwiceDifferentiableCall, of_gamma: Any, of_beta: Any, t: Any) -> Any:
    """Return the derivative of y, (N, D), along tangents, by forward mode under jax.jit.

    Args:
        call: The call, of ``prepare_call``.
        of_gamma: The tangent of gamma, (D,).
        of_beta: The tangent of beta, (D,).
        t: The tangent of x, (N, D).

    Returns:
        The derivative; None if JAX refuses forward mode because of a ``jax.custom_vjp``.
    """
    moved = _unless_refused(lambda: call.move_along((of_gamma, of_beta, t)))
    return moved if moved is None else numbers(moved)


def move_linearly(call: TwiceDifferentiableCall, several: list[list[Any]]) -> list[Any] | None:
    """Return what ``move_along`` does for several tangents, by one map of jax.linearize."""
    tangents: list[Any] = [tuple(each) for each in several]
    moved = _unless_refused(lambda: call.move_linearly(tangents))
    return moved if moved is None else [numbers(each) for each in moved]


def differentiate_gradient(
    call: TwiceDifferentiableCall, w: Any, t: Any, forward_mode: bool
) -> list[Any] | None:
    """Return the derivatives of Σ t·dx, where dx is that of Σ w·y, under jax.jit.

    Args:
        call: The call, of ``prepare_call``.
        w: The cotangent of y, (N, D).
        t: The cotangent of dx, or the tangent of x, (N, D).
        forward_mode: Whether the gradient is differentiated in forward mode, along t.

    Returns:
        Those for gamma, (D,), and for x and w, (N, D); None if JAX refuses forward mode.
    """
    found = _unless_refused(lambda: call.differentiate_gradient(w, t, forward_mode=forward_mode))
    return found if found is None else [numbers(each) for each in found]


def _unless_refused(differentiate: Callable[[], Any]) -> Any:
    """Return a derivative; None if JAX refuses forward mode because of a ``jax.custom_vjp``."""
    try:
        return differentiate()
    except TypeError as error:
        if "jvp) to a custom_vjp function" not in str(error):
            raise
        return None
