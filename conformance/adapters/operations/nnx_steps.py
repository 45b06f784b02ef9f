"""Operations that train an ``nnx.Module`` as training loops do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import optax
from flax import nnx

from conformance.adapters.device_put import put_on_device
from conformance.adapters.nnx import NnxLayer, apply, train
from conformance.adapters.nnx_transforms import gradients_of_params
from conformance.adapters.operations.values import numbers


def set_mode(layer: NnxLayer, evaluate: bool) -> None:
    """Call ``nnx.Module.eval``, or ``nnx.Module.train``, on the module."""
    method = nnx.Module.eval if evaluate else nnx.Module.train
    method(layer.module)  # a layer may have a method of its own by that name


def train_and_evaluate_jitted(layer: NnxLayer, x: Any) -> list[Any]:
    """Train on x, (N, D), then evaluate it, in one program; return both y."""
    return [numbers(y) for y in _BOTH(layer.module, x)]


def train_donated(layer: NnxLayer, x: Any) -> None:
    """Train on x, (N, D), under ``nnx.jit`` with the module donated."""
    _DONATING(layer.module, *put_on_device(x))


def differentiate_loss(
    layer: NnxLayer, x: Any, w: Any, params_only_eagerly: bool
) -> dict[str, Any]:
    """Take ``nnx.value_and_grad`` of Σ w·y of a training call.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        params_only_eagerly: Not compiled, and explicitly with respect to ``nnx.Param``.

    Returns:
        ``leaves``, the paths of the gradient, and ``gamma`` and ``beta``, (D,), if they are there.
    """
    function = _value_and_grad_of_params if params_only_eagerly else _VALUE_AND_GRAD
    _, grads = function(layer.module, x, w)
    paths = [list(path) for path, _ in nnx.to_flat_state(grads)]
    found = gradients_of_params(layer, grads)
    return {"leaves": paths, **{name: numbers(each) for name, each in found.items()}}


def step(layer: NnxLayer, x: Any, w: Any, rate: float, decay: float) -> None:
    """Take a step of ``nnx.Optimizer`` along the gradient of Σ w·y, with weight decay.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        rate: The learning rate.
        decay: The weight decay.
    """
    _STEP(layer.module, x, w, rate, decay)


def step_of_two(
    first: NnxLayer,
    second: NnxLayer,
    batches: list[Any],
    cotangents: list[Any],
    rate: float,
    decay: float,
) -> None:
    """Take a step on Σ w·first(x) + Σ w*·first(x*) + Σ w·second(x*).

    Args:
        first: The layer that is used twice.
        second: The other layer of the model.
        batches: x and x*, each (N, D).
        cotangents: w and w*, each (N, D).
        rate: The learning rate.
        decay: The weight decay.
    """
    model = nnx.List([first.module, second.module])
    _STEP_OF_TWO(model, *batches, *cotangents, rate, decay)


def _loss(module: Any, x: Any, w: Any) -> Any:
    return (w * train(module, x)).sum()


def _value_and_grad(module: Any, x: Any, w: Any) -> Any:
    return nnx.value_and_grad(_loss)(module, x, w)


def _value_and_grad_of_params(module: Any, x: Any, w: Any) -> Any:
    return nnx.value_and_grad(_loss, argnums=nnx.DiffState(0, nnx.Param))(module, x, w)


def _descend(model: Any, gradients: Any, rate: Any, decay: Any) -> None:
    """Take one step, with weight decay, on every nnx.Param."""
    rule = optax.chain(optax.add_decayed_weights(decay), optax.sgd(rate))
    nnx.Optimizer(model, rule, wrt=nnx.Param).update(model, gradients)


def _step(module: Any, x: Any, w: Any, rate: Any, decay: Any) -> None:
    _descend(module, nnx.grad(_loss)(module, x, w), rate, decay)


def _step_of_two(
    model: Any, x: Any, following: Any, w: Any, other: Any, rate: Any, decay: Any
) -> None:
    def total(model: Any) -> Any:
        twice = _loss(model[0], x, w) + _loss(model[0], following, other)
        return twice + _loss(model[1], following, w)

    _descend(model, nnx.grad(total)(model), rate, decay)


def _both(module: Any, x: Any) -> tuple[Any, Any]:
    return apply(module, x, False), apply(module, x, True)


_BOTH = nnx.jit(_both)
_DONATING = nnx.jit(train, donate_argnums=0)
_STEP = nnx.jit(_step, static_argnums=4)
_STEP_OF_TWO = nnx.jit(_step_of_two, static_argnums=6)
_VALUE_AND_GRAD: Callable[[Any, Any, Any], Any] = nnx.jit(_value_and_grad)
