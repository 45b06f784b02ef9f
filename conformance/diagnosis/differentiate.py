"""Taking the gradients that the experiment asks for."""

from __future__ import annotations

from typing import Any, cast

import jax.numpy as jnp
from flax import nnx

from conformance.adapters.nnx import NnxLayer, apply
from conformance.adapters.nnx_gradients import NnxCall as Differentiable
from conformance.diagnosis.experiment import Call
from conformance.properties.support.subject import LiveLayer


def taken(layer: LiveLayer, call: Call) -> dict[str, Any]:
    """Return what a call of kind "gradient", "through" or "update" gives, by name."""
    w = call.cotangent
    if call.kind == "update":
        return _updated(layer, call)
    pulled = Differentiable.of(cast("NnxLayer", layer.layer), call.x, evaluate=not call.training)
    if call.kind == "through":
        assert w is not None, "such calls have one row per statistic"  # noqa: S101
        return {"gradient through the statistics": pulled.through_statistics(w[0], w[1])}
    of_gamma, of_beta, of_x = pulled.gradients(w) if call.compiled else pulled.pullback()(w)
    return {"gradient of gamma": of_gamma, "gradient of beta": of_beta, "gradient of x": of_x}


def _updated(layer: LiveLayer, call: Call) -> dict[str, Any]:
    """Take the gradient of a loss with respect to the layer, and read what that left behind."""

    def loss(module: Any) -> Any:
        return jnp.sum(call.cotangent * apply(module, call.x, False))

    nnx.value_and_grad(loss)(layer.module)
    held = layer.raw
    return {name: held[name] for name in ("running_mean", "running_var")}
