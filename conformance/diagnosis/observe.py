"""Runs the experiment: records the results of the designed calls."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import Config
from conformance.diagnosis.experiment import (
    DECOY,
    Call,
    Series,
    forward_series,
    gradient_series,
    layer_series,
)
from conformance.numerics.state import Float32, State
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.subject import Subject
from conformance.requirements.finding import FindingKind
from conformance.strategies.containers import jax_array, reversed_view, strided_view

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Observation:
    """One call and all its effects.

    Attributes:
        series: The number of the layer in the experiment.
        config: The configuration of the layer.
        call: The call; None for a layer that was only constructed.
        before: The state before the call, as read.
        y: The output, (N, D).
        after: The state after the call, as read.
        x_after: The caller's array after the call, (N, D).
        raised: The exception; then nothing else was observed.
        operation: The operation that raised it.
        earlier: The number of earlier training calls of this layer.
        gradients: The computed gradients, by name.
    """

    series: int
    config: Config
    call: Call | None
    before: State | None = None
    y: Array | None = None
    after: State | None = None
    x_after: Array | None = None
    raised: str = ""
    operation: str = ""
    earlier: int = 0
    gradients: Mapping[str, Array] | None = None

    @property
    def compiled(self) -> bool:
        """Whether the call was under jit."""
        return self.call is not None and self.call.compiled


def observe(implementation: Implementation) -> list[Observation]:
    """Return the observations of all calls, series by series."""
    subject = Subject(implementation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of overflow in a faulty layer, for example
        return list(_observations(subject))


def _observations(subject: Subject) -> Iterator[Observation]:
    number = 0
    if subject.implementation.build is not None:
        for series in layer_series():
            if series.calls[0].compiled and not subject.implementation.nnx_module:
                continue
            if subject.conventions.largest_momentum() < 1 <= series.config.momentum:
                continue
            yield from _layer(subject, number, series)
            number += 1
    if subject.implementation.forward is not None:
        for series in forward_series():
            yield from _forward(subject, number, series)
            number += 1


def _layer(subject: Subject, number: int, series: Series) -> Iterator[Observation]:
    config = series.config
    try:
        layer = subject.build(config)
        before = layer.state
        subject.build(replace(DECOY, features=config.features))
    except ViolationFound as error:
        yield _failed(error, number, config)
        return
    yield Observation(number, config, None, after=before)
    earlier = 0
    for call in series.calls:
        observation = _observe_call(subject, number, series, call, layer, before)
        yield replace(observation, earlier=earlier)
        earlier += call.training
        if observation.after is None:
            return
        before = observation.after


def _observe_call(
    subject: Subject, number: int, series: Series, call: Call, layer: LayerHandle, before: State
) -> Observation:
    x = hand_over(call)
    try:
        if call.write is not None:
            layer.write(call.write)
            before = layer.state
        if call.compiled:
            y = np.array(subject.jitted(layer.module, x, bool(call.flag)))
        else:
            y = layer.call(x, call.flag)
        after = layer.state
    except Exception as error:  # noqa: BLE001  whatever the implementation raises
        return _failed(error, number, series.config, call, before)
    return Observation(number, series.config, call, before, y, after, np.array(x))


def _failed(
    error: Exception,
    number: int,
    config: Config,
    call: Call | None = None,
    before: State | None = None,
) -> Observation:
    """Return the observation of an exception, with its operation if that is known."""
    if isinstance(error, ViolationFound) and error.finding.kind is FindingKind.RAISED:
        raised, operation = str(error.finding.got), error.finding.operation
    else:
        raised, operation = str(error), ""
    return Observation(number, config, call, before, raised=raised, operation=operation)


def _forward(subject: Subject, number: int, series: Series) -> Iterator[Observation]:
    for call in series.calls:
        x = hand_over(call)
        config = replace(series.config, features=call.x.shape[1])
        try:
            y = subject.forward(call.seed, x, call.flag)
        except ViolationFound as error:
            yield _failed(error, number, config, call)
            continue
        yield Observation(number, config, call, y=y, x_after=np.array(x))


def observe_gradients(implementation: Implementation) -> list[Observation]:
    """Return the gradients of an NNX layer; nothing if it cannot be differentiated.

    The model predicts those of calls in which the batch normalizes, in float32.
    """
    subject = Subject(implementation)
    conventions = subject.conventions
    narrow = conventions.output_dtype() is not None
    if not implementation.nnx_module or narrow or conventions.normalises_with_average():
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            _observe_gradient(subject, number, series.config, call)
            for number, series in enumerate(gradient_series())
            for call in series.calls
            if call.kind != "through" or not conventions.follows_gradient_through_averages()
        ]


def _observe_gradient(subject: Subject, number: int, config: Config, call: Call) -> Observation:
    try:
        layer = subject.build(config, call.write)
        before = layer.state
        found = {name: np.array(value) for name, value in _differentiate(layer, call).items()}
    except Exception as error:  # noqa: BLE001  whatever the implementation raises
        return _failed(error, number, config, call, call.write)
    return Observation(number, config, call, before, gradients=found)


def _differentiate(layer: LayerHandle, call: Call) -> dict[str, Any]:
    """Return the gradients for a call of kind "gradient", "through" or "update"."""
    from conformance.adapters.nnx import NnxLayer  # noqa: PLC0415  imports jax
    from conformance.adapters.nnx_gradients import NnxCall as Differentiable  # noqa: PLC0415

    w = call.cotangent
    if call.kind == "update":
        return _update_under_gradient(layer, call)
    inner = cast("NnxLayer", layer.layer)
    pulled = Differentiable.of(inner, call.x, evaluate=not call.training)
    if call.kind == "through":
        assert w is not None, "such calls have one row per statistic"  # noqa: S101
        return {"gradient through the statistics": pulled.through_statistics(w[0], w[1])}
    of_gamma, of_beta, of_x = pulled.gradients(w) if call.compiled else pulled.pullback()(w)
    return {"gradient of gamma": of_gamma, "gradient of beta": of_beta, "gradient of x": of_x}


def _update_under_gradient(layer: LayerHandle, call: Call) -> dict[str, Any]:
    """Return the running statistics after the gradient of a loss of one training call."""
    import jax.numpy as jnp  # noqa: PLC0415
    from flax import nnx  # noqa: PLC0415

    from conformance.adapters.nnx import apply  # noqa: PLC0415

    def loss(module: Any) -> Any:
        return jnp.sum(call.cotangent * apply(module, call.x, False))

    nnx.value_and_grad(loss)(layer.module)
    arrays = layer.raw
    return {name: arrays[name] for name in ("running_mean", "running_var")}


def differing(observations: list[Observation]) -> int:
    """Return how many calls differ, bit for bit, from an earlier equal call of the same layer."""
    first: dict[tuple[object, ...], Array] = {}
    count = 0
    for o in observations:
        if o.call is None or o.y is None:
            continue
        arrays = [] if o.before is None else list(o.before.arrays().values())
        contents = tuple(array.tobytes() for array in (o.call.x, *arrays))
        key = (o.series, repr(o.call.flag), o.call.container, o.call.seed, *contents)
        count += not np.array_equal(first.setdefault(key, o.y), o.y, equal_nan=True)
    return count


def changes_its_input(observation: Observation) -> bool:
    """Whether the call changed the caller's array."""
    call, after = observation.call, observation.x_after
    return (
        call is not None and after is not None and not np.array_equal(call.x, after, equal_nan=True)
    )


def hand_over(call: Call) -> Any:
    """Return x in the container of the call, as a copy that an implementation may overwrite."""
    return _CONTAINERS[call.container](call.x)


_CONTAINERS: dict[str, Callable[[Float32], Any]] = {
    "C": np.copy,
    "F": np.asfortranarray,
    "reversed": reversed_view,
    "strided": strided_view,
    "jax": jax_array,
}
