"""Runs the experiment: records the results of the designed calls."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from conformance.adapters.domain import Options
from conformance.adapters.operations.values import Given
from conformance.adapters.protocols import STATISTICS, Config
from conformance.diagnosis.deadline import OutOfTimeError, check_time
from conformance.diagnosis.experiment import (
    DECOY,
    Call,
    Series,
    forward_series,
    gradient_series,
    layer_series,
    rank_series,
)
from conformance.numerics.state import State
from conformance.properties.support import domain_checks
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.differentiation import gradients_of
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.subject import Subject
from conformance.requirements import Capability
from conformance.requirements.finding import FindingKind
from conformance.strategies.domain_cases import fold, unfold

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
        place: File and line where it was raised.
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
    place: str = ""
    earlier: int = 0
    gradients: Mapping[str, Array] | None = None

    @property
    def compiled(self) -> bool:
        """Whether the call was under jit."""
        return self.call is not None and self.call.compiled


def observe(subject: Subject) -> list[Observation]:
    """Return the observations of all calls, series by series; the first ones if time is up."""
    found: list[Observation] = []
    with warnings.catch_warnings(), suppress(OutOfTimeError):
        warnings.simplefilter("ignore")  # of overflow in a faulty layer, for example
        for observation in _observations(subject):
            found.append(observation)
            check_time()
    return found


def _observations(subject: Subject) -> Iterator[Observation]:
    number = 0
    offers_nnx = Capability.NNX in subject.implementation.capabilities
    if Capability.LAYER in subject.implementation.capabilities:
        design = subject.implementation.design
        for planned in layer_series():
            series = replace(planned, config=design.configured(planned.config))
            first = series.calls[0]
            if first.compiled and not subject.implementation.nnx_module:
                continue
            if first.mode is not None and not (offers_nnx and design.flag_argument):
                continue
            if subject.conventions.largest_momentum() < 1 <= series.config.momentum:
                continue
            yield from _layer(subject, number, series)
            number += 1
    if Capability.FORWARD in subject.implementation.capabilities:
        for series in forward_series():
            yield from _forward(subject, number, series)
            number += 1


def _layer(subject: Subject, number: int, series: Series) -> Iterator[Observation]:
    config = series.config
    try:
        layer = subject.build(config)
        before = layer.state
        subject.build(replace(DECOY, features=config.features))
        subject.session.finish()
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
    x = subject.put(Given(call.x, _CONTAINERS[call.container]))
    try:
        if call.write is not None:
            layer.write(call.write)
            subject.session.finish()  # a state that could not be written is not that before a call
            before = layer.state
        if call.mode is not None:
            layer.do("set_mode", call.mode, label="putting the module into a mode")
        if call.compiled:
            y = layer.call_jitted(x, evaluate=bool(call.flag))
        else:
            y = layer.call(x, _form_of(call.flag))
        after, x_after = layer.state, subject.reread("x", x)
        subject.session.finish()
    except ViolationFound as error:
        return _failed(error, number, series.config, call, before)
    return Observation(number, series.config, call, before, y, after, x_after)


def _failed(
    error: ViolationFound,
    number: int,
    config: Config,
    call: Call | None = None,
    before: State | None = None,
) -> Observation:
    """Return the observation of an exception, with its operation if that is known."""
    if error.finding.kind is FindingKind.RAISED:
        raised, operation = str(error.finding.got), error.finding.operation
    else:
        raised, operation = str(error), ""
    place = ", ".join(getattr(error, "__notes__", ()))
    return Observation(
        number, config, call, before, raised=raised, operation=operation, place=place
    )


def _forward(subject: Subject, number: int, series: Series) -> Iterator[Observation]:
    for call in series.calls:
        x = subject.put(Given(call.x, _CONTAINERS[call.container]))
        config = replace(series.config, features=call.x.shape[1])
        try:
            y = subject.forward(call.seed, x, _form_of(call.flag))
            x_after = subject.reread("x", x)
            subject.session.finish()
        except ViolationFound as error:
            yield _failed(error, number, config, call)
            continue
        yield Observation(number, config, call, y=y, x_after=x_after)


def _form_of(flag: Any) -> Any:
    """Return a flag as an argument of an operation, which has a form if it is of NumPy."""
    if not isinstance(flag, np.generic):
        return flag
    return Given(flag.item(), "np.bool_" if flag.dtype == bool else f"np.{flag.dtype}")


def observe_gradients(subject: Subject) -> list[Observation]:
    """Return the gradients of a layer; nothing if it cannot be differentiated.

    The model predicts those of calls in which the batch normalizes, in float32. What remains of an
    update after a gradient is a matter of modules whose state changes.
    """
    conventions = subject.conventions
    design = subject.implementation.design
    narrow = conventions.output_dtype() is not None or conventions.gradient_roundoff() > 0
    offered = subject.implementation.capabilities
    if Capability.GRAD not in offered or narrow or conventions.normalises_with_average():
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            _observe_gradient(subject, number, design.configured(series.config), call)
            for number, series in enumerate(gradient_series())
            for call in series.calls
            if call.kind not in {"through", "update"} or conventions.moves_statistics()
            if call.kind != "through" or not conventions.follows_gradient_through_averages()
            if call.kind != "update" or Capability.NNX_GRAD in offered
        ]


def observe_ranks(subject: Subject) -> list[Observation]:
    """Return the calls on inputs of several axes; nothing if the layer does not declare them."""
    wider = subject.implementation.wider
    if wider is None or not wider.ndim:
        return []
    options = Options if wider.axis else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            observation
            for number, series in enumerate(rank_series(last_only=not wider.axis))
            for pair in pairwise(series.calls)
            if pair[1].flag
            for observation in _observe_rank(subject, number, series.config, pair, options)
        ]


def _observe_rank(
    subject: Subject,
    number: int,
    config: Config,
    calls: tuple[Call, Call],
    options: type[Options] | None,
) -> Iterator[Observation]:
    """Train and evaluate from one state, in one program."""
    train, evaluate = calls
    config = subject.implementation.design.configured(config)
    given = Options(axis=train.axis if options else None)
    try:
        layer = domain_checks.start(subject, config, train.write, given)
        before = layer.state
        found = domain_checks.call(layer, fold(train.x, train.around, train.axis))
        subject.session.finish()
    except ViolationFound as error:
        yield _failed(error, number, config, train, train.write)
        return
    shape = fold(train.x, train.around, train.axis).shape
    after = State(**found.after)
    for each, y, state in ((train, found.y, after), (evaluate, found.evaluated, before)):
        rows = unfold(y, train.axis) if y.shape == shape else y
        yield Observation(number, config, each, before, rows, state, x_after=each.x)


def _observe_gradient(subject: Subject, number: int, config: Config, call: Call) -> Observation:
    try:
        layer = subject.build(config, call.write)
        before = layer.state
        found = _differentiate(layer, call)
        subject.session.finish()
    except ViolationFound as error:
        return _failed(error, number, config, call, call.write)
    return Observation(number, config, call, before, gradients=found)


def _differentiate(layer: LayerHandle, call: Call) -> dict[str, Array]:
    """Return the gradients for a call of kind "gradient", "through" or "update"."""
    w, label = call.cotangent, "differentiating a call"
    assert w is not None, "such calls have a cotangent"  # noqa: S101
    if call.kind == "update":
        layer.ask("differentiate_loss", call.x, w, not call.compiled, label=label)
        arrays = layer.state.arrays()
        return {name: arrays[name] for name in STATISTICS}
    if call.kind == "through":
        pulled = layer.ask("gradient_through_statistics", call.x, w[0], w[1], label=label)
        return {"gradient through the statistics": pulled}
    found = gradients_of(layer, call.x, w, evaluate=not call.training, eager=not call.compiled)
    return {f"gradient of {name}": gradient for name, gradient in found.items()}


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


_CONTAINERS = {
    "C": "np.copy",
    "F": "np.asfortranarray",
    "reversed": "reversed_view",
    "strided": "strided_view",
    "jax": "jnp.asarray",
}
"""The forms of x by the containers of calls."""
