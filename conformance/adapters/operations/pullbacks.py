"""Operations that differentiate a call with respect to gamma, beta and x."""

from __future__ import annotations

from typing import Any, cast

from conformance.adapters.nnx import NnxLayer
from conformance.adapters.nnx_gradients import NnxCall
from conformance.adapters.operations.values import Live, numbers
from conformance.adapters.protocols import Differentiable, DifferentiableCall, Layer


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
