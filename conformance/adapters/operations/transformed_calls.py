"""Operations on layers under transforms of JAX, by the means of each framework."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from conformance.adapters.device_put import put_on_device
from conformance.adapters.nnx import NnxLayer
from conformance.adapters.nnx_transforms import NnxTransforms
from conformance.adapters.operations.values import Live, numbers
from conformance.adapters.protocols import PARAMETERS, Layer, Transformable, Transforms


def _transforms_of(layer: Layer) -> Transforms:
    """Return the layer under transforms: those of its adapter, or those of NNX for a module."""
    if hasattr(layer, "transforms"):
        return cast("Transformable", layer).transforms()
    return NnxTransforms(cast("NnxLayer", layer))


def call_jitted(layer: Layer, x: Any, flag: bool) -> Any:
    """Call a layer on x, (N, D), in a program that all calls share; return y, (N, D)."""
    return numbers(_transforms_of(layer).call_jitted(x, evaluate=flag))


def call_jitted_live(layer: Layer, x: Any, flag: bool) -> Live:
    """Call a layer as ``call_jitted`` does; keep y, (N, D), the very object."""
    return Live(_transforms_of(layer).call_jitted(x, evaluate=flag))


@dataclass(frozen=True, slots=True)
class _Program:
    """A newly compiled function of x and the flag, and the flags for which it was traced."""

    function: Any
    traced: list[bool] = field(default_factory=list)


def compile_anew(layer: Layer) -> Live:
    """Return a program of its own for the calls of a layer, not yet traced."""
    traced: list[bool] = []
    return Live(_Program(_transforms_of(layer).compile_anew(traced), traced))


def call_program(program: _Program, x: Any, flag: bool) -> Any:
    """Call a program of ``compile_anew`` on x, (N, D); return y, (N, D)."""
    return numbers(program.function(x, flag))


def traces(program: _Program) -> list[bool]:
    """Return the flags for which a program was traced, one for each trace."""
    return list(program.traced)


def call_pure(layer: Layer, x: Any, flag: bool) -> list[Any]:
    """Call a layer as a compiled function of its state.

    Args:
        layer: The layer, which does not change.
        x: The batch, (N, D).
        flag: Whether the call evaluates.

    Returns:
        y, (N, D), and a layer in the new state.
    """
    y, after = _transforms_of(layer).call_pure(x, evaluate=flag)
    return [numbers(y), Live(after)]


def call_stacked(layers: list[Layer], xs: Any, flag: bool) -> list[Any]:
    """Call L layers as one stack, by vmap.

    Args:
        layers: The layers, of equal configurations.
        xs: The batches, (L, N, D).
        flag: Whether the call evaluates.

    Returns:
        y, (L, N, D), and a layer whose arrays are the stacked new states, (L, D).
    """
    first, *others = layers
    on_device = put_on_device(xs)[0]
    ys, stacked = _transforms_of(first).call_stacked(others, on_device, evaluate=flag)
    return [numbers(ys), Live(stacked)]


def train_lanes(layer: Layer, xs: Any) -> list[Any]:
    """Train on each batch of (L, N, D) from the same state; return y and L layers."""
    ys, layers = _transforms_of(layer).train_lanes(put_on_device(xs)[0])
    return [numbers(ys), [Live(each) for each in layers]]


def evaluate_lanes(layer: Layer, xs: Any) -> list[Any]:
    """Evaluate each batch of (L, N, D), once in each way that the framework has."""
    evaluated = _transforms_of(layer).evaluate_lanes(put_on_device(xs)[0])
    return [numbers(ys) for ys in evaluated]


def train_scanned(layer: Layer, xs: Any) -> Any:
    """Train on the batches of (T, N, D) in turn, in one scan; return y, (T, N, D)."""
    return numbers(_transforms_of(layer).train_scanned(put_on_device(xs)[0]))


def differentiate_rematerialized(layer: Layer, x: Any, w: Any) -> dict[str, Any]:
    """Train, recomputing the forward pass for the backward pass.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).

    Returns:
        The gradients of Σ w·y with respect to gamma and beta, (D,), by name.
    """
    on_device = put_on_device(x, w)
    pulled = _transforms_of(layer).differentiate_rematerialized(*on_device)
    return {name: numbers(pulled[name]) for name in PARAMETERS if pulled.get(name) is not None}


def train_twice(layer: Layer, x: Any) -> Any:
    """Train on x, (N, D), and then on its y, in one program; return the first y, (N, D)."""
    return numbers(_transforms_of(layer).train_twice(put_on_device(x)[0]))
