"""Operations that differentiate a call without what stops its gradient, or with more of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core
from jax.extend.core import primitives

from conformance.adapters.operations.call_programs import CallProgram, program_of_call
from conformance.adapters.operations.evaluation import Step
from conformance.adapters.operations.expressions import function_of
from conformance.adapters.operations.frames import Frame, frames_of, place_of
from conformance.adapters.operations.values import numbers
from conformance.adapters.protocols import STATISTICS, Layer

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
    return _attempt(lambda: _unstopped(layer, jnp.asarray(x), jnp.asarray(w), flag))


def _unstopped(layer: Layer, x: Any, w: Any, flag: bool) -> Iterator[dict[str, Any]]:
    traced = function_of(layer, flag)
    if traced is None:
        return
    function, state, _ = traced
    closed = jax.make_jaxpr(lambda s, b: function(s, b)[0])(state, x)
    given = [*jax.tree.leaves(state), x]
    stops = (eqn for eqn in closed.jaxpr.eqns if eqn.primitive is primitives.stop_gradient_p)
    frames = [frame for frame in dict.fromkeys(map(frames_of, stops)) if frame]
    nowhere = {"file": "", "text": ""}
    for frame, place in ((), nowhere), *((each, place_of(*each[0])) for each in frames[:_MOST]):
        if place:
            yield {**place, "values": _gradients(_stopping_only(closed, frame), given, w)}


def stop_gradient(layer: Layer, x: Any, of_statistics: Any) -> list[dict[str, Any]]:
    """Return the first expressions of a training call that could stop what must not flow.

    For each running statistic whose gradient with respect to x is not zero, that is the first
    expression that only the statistics depend on, and whose own gradient, stopped, makes it zero.
    Nothing is returned for layers that JAX cannot trace.

    Args:
        layer: The layer.
        x: The batch, (N, D).
        of_statistics: The cotangents of the running mean and variance after the call, (2, D).

    Returns:
        By expression: its place as in ``unstop_gradient``, ``statistic``, the name of the array,
        and ``values``: the gradient of x, (N, D), through this statistic, as it is and stopped.
    """
    return _attempt(lambda: _leaking(layer, jnp.asarray(x), jnp.asarray(of_statistics)))


def _attempt(find: Callable[[], Iterator[dict[str, Any]]]) -> list[dict[str, Any]]:
    try:
        with jax.disable_jit():
            return [*find()]
    except Exception:  # noqa: BLE001  what cannot be traced has no equations
        return []


def _leaking(layer: Layer, x: Any, of_statistics: Any) -> Iterator[dict[str, Any]]:
    traced = function_of(layer, flag=False, marked=True)
    if traced is None:
        return
    program = program_of_call(traced, x)
    done = program.evaluate({})
    reached = done.reached()
    for name, cotangent in zip(STATISTICS, of_statistics, strict=True):
        leaked = _through(program, name, cotangent, ())
        if not np.any(leaked):
            continue
        apart = [step.frames for step in done.steps if _reaches_only(step, reached, name)]
        for frames in [each for each in dict.fromkeys(apart) if each][:_MOST]:
            stopped = _through(program, name, cotangent, frames)
            place = place_of(*frames[0])
            if place and not np.any(stopped):
                yield {**place, "statistic": name, "values": [leaked, stopped]}
                break


def _reaches_only(step: Step, reached: Mapping[int, frozenset[str]], name: str) -> bool:
    """Return whether a statistic depends on a step, and y does not."""
    names = frozenset[str]().union(*(reached.get(each, frozenset()) for each in step.results))
    return name in names and names <= frozenset(STATISTICS)


def _through(program: CallProgram, name: str, cotangent: Any, frames: tuple[Frame, ...]) -> Any:
    """Return the gradient of x through one result, stopped at an expression if one is given."""
    state, x = program.given

    def call(x: Any) -> Any:
        return replace(program, given=(state, x)).evaluate({}, stopped=frames).results[name]

    value, pull = jax.vjp(call, x)
    (gradient,) = pull(cotangent.reshape(value.shape).astype(value.dtype))
    return numbers(gradient)


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
