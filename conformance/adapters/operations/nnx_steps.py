"""Operations that train an ``nnx.Module`` as training loops do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import optax
from flax import nnx

from conformance.adapters.calling import Calling
from conformance.adapters.device_put import put_on_device
from conformance.adapters.nnx import NnxLayer, value_of
from conformance.adapters.nnx_transforms import gradients_of_params, split_leaves
from conformance.adapters.operations.values import numbers


def set_mode(layer: NnxLayer, evaluate: bool) -> None:
    """Call ``nnx.Module.eval``, or ``nnx.Module.train``, on the module."""
    method = nnx.Module.eval if evaluate else nnx.Module.train
    method(layer.module)  # a layer may have a method of its own by that name


def train_and_evaluate_jitted(layer: NnxLayer, x: Any) -> list[Any]:
    """Train on x, (N, D), then evaluate it, in one program; return both y."""
    return [numbers(y) for y in _programs(layer.access.calling).both(layer.module, x)]


def train_donated(layer: NnxLayer, x: Any) -> None:
    """Train on x, (N, D), under ``nnx.jit`` with the module donated."""
    _programs(layer.access.calling).donating(layer.module, *put_on_device(x))


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
    programs = _programs(layer.access.calling)
    function = programs.grad_of_params if params_only_eagerly else programs.grad
    _, grads = function(layer.module, x, w)
    leaves = {path: value_of(leaf) for path, leaf in nnx.to_flat_state(grads)}
    paths = [list(path) for path in split_leaves(layer, leaves)]
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
    _programs(layer.access.calling).step(layer.module, x, w, rate, decay)


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
    _programs(first.access.calling).step_of_two(model, *batches, *cotangents, rate, decay)


@dataclass(frozen=True, slots=True)
class _Programs:
    """Programs that are compiled once for each way to call a module."""

    both: Any
    donating: Any
    grad: Any
    grad_of_params: Any
    step: Any
    step_of_two: Any


@cache
def _programs(calling: Calling) -> _Programs:
    def train(module: Any, x: Any) -> Any:
        return calling.apply(module, x, False)

    def loss(module: Any, x: Any, w: Any) -> Any:
        return (w * train(module, x)).sum()

    def both(module: Any, x: Any) -> tuple[Any, Any]:
        return train(module, x), calling.apply(module, x, True)

    def grad(module: Any, x: Any, w: Any) -> Any:
        return nnx.value_and_grad(loss)(module, x, w)

    def step(module: Any, x: Any, w: Any, rate: Any, decay: Any) -> None:
        _descend(module, nnx.grad(loss)(module, x, w), rate, decay)

    def step_of_two(
        model: Any, x: Any, following: Any, w: Any, other: Any, rate: Any, decay: Any
    ) -> None:
        def total(model: Any) -> Any:
            twice = loss(model[0], x, w) + loss(model[0], following, other)
            return twice + loss(model[1], following, w)

        _descend(model, nnx.grad(total)(model), rate, decay)

    return _Programs(
        both=nnx.jit(both),
        donating=nnx.jit(train, donate_argnums=0),
        grad=nnx.jit(grad),
        grad_of_params=nnx.value_and_grad(loss, argnums=nnx.DiffState(0, nnx.Param)),
        step=nnx.jit(step, static_argnums=4),
        step_of_two=nnx.jit(step_of_two, static_argnums=6),
    )


def _descend(model: Any, gradients: Any, rate: Any, decay: Any) -> None:
    """Take one step, with weight decay, on every nnx.Param."""
    rule = optax.chain(optax.add_decayed_weights(decay), optax.sgd(rate))
    nnx.Optimizer(model, rule, wrt=nnx.Param).update(model, gradients)
