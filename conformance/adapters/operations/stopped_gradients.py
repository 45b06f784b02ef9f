"""The operation that differentiates a call without what stops its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.extend.core import primitives

from conformance.adapters.operations.expressions import Frame, frames_of, function_of, place_of
from conformance.adapters.operations.values import numbers
from conformance.adapters.protocols import Layer

_MOST = 12
"""Places that are tried in one call."""


def unstop_gradient(layer: Layer, x: Any, w: Any, flag: bool) -> list[dict[str, Any]]:
    """Return the gradients of Σ w·y without ``stop_gradient``, and with each single one of them.

    Nothing is returned for layers that JAX cannot trace.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        w: The cotangent of y, (N, D).
        flag: The value of ``use_running_average``.

    Returns:
        First those without any, then by the only expression that stops gradients: ``file``,
        ``line``, ``column``, ``end_line``, ``end_column`` (from 1, the end excluded), ``text``, its
        source, and ``values``: the gradient of x, (N, D), and those of all other arrays, (D,).
    """
    try:
        with jax.disable_jit():
            return [*_unstopped(layer, jnp.asarray(x), jnp.asarray(w), flag)]
    except Exception:  # noqa: BLE001  what cannot be traced has no equations
        return []


def _unstopped(layer: Layer, x: Any, w: Any, flag: bool) -> Iterator[dict[str, Any]]:
    traced = function_of(layer, flag)
    if traced is None:
        return
    function, state = traced
    closed = jax.make_jaxpr(lambda s, b: function(s, b)[0])(state, x)
    given = [*jax.tree.leaves(state), x]
    stops = (eqn for eqn in closed.jaxpr.eqns if eqn.primitive is primitives.stop_gradient_p)
    frames = [frame for frame in dict.fromkeys(map(frames_of, stops)) if frame]
    nowhere = {"file": "", "text": ""}
    for frame, place in ((), nowhere), *((each, place_of(*each[0])) for each in frames[:_MOST]):
        if place:
            yield {**place, "values": _gradients(_stopping_only(closed, frame), given, w)}


def _stopping_only(closed: core.ClosedJaxpr, frames: tuple[Frame, ...]) -> Callable[..., list[Any]]:
    """Return a function in which only the equations of one expression stop gradients."""

    def passing(eqn: core.JaxprEqn) -> core.JaxprEqn:
        stops = eqn.primitive is primitives.stop_gradient_p and frames_of(eqn) != frames
        return eqn.replace(primitive=primitives.copy_p) if stops else eqn

    jaxpr = closed.jaxpr.replace(eqns=[*map(passing, closed.jaxpr.eqns)])
    made: Callable[..., list[Any]] = core.jaxpr_as_fun(core.ClosedJaxpr(jaxpr, closed.consts))
    return made


def _gradients(function: Callable[..., list[Any]], given: list[Any], w: Any) -> list[Any]:
    """Return the gradients of x, and of all other floating-point arrays of the same call."""
    differentiable = [jnp.issubdtype(jnp.asarray(each).dtype, jnp.floating) for each in given]
    at = [index for index, is_floating in enumerate(differentiable) if is_floating]

    def call(*chosen: Any) -> Any:
        arrays = dict(zip(at, chosen, strict=True))
        return function(*(arrays.get(index, each) for index, each in enumerate(given)))[0]

    y, pull = jax.vjp(call, *(given[index] for index in at))
    *others, of_x = pull(w.reshape(y.shape).astype(y.dtype))
    return [numbers(gradient) for gradient in (of_x, *others)]
