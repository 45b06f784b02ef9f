"""The usual mistakes of adapters, each looked for by name; nothing here judges the layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from conformance.case import State
from conformance.checks import ViolationFound
from conformance.implementation import AdapterError, Config
from conformance.layers import ARRAYS, Layer
from conformance.mistakes import MISTAKES
from conformance.requirements import Capability
from conformance.resolution import resolve
from conformance.subject import LiveLayer, Subject

_CONFIG = Config(features=3, momentum=0.75, eps=1e-3)
_X = np.array([[0, 1, 2], [3, -1, 5]], np.float32)
_STATE = State(
    gamma=np.array([2, 3, 4], np.float32),
    beta=np.array([5, 6, 7], np.float32),
    running_mean=np.array([8, 9, 10], np.float32),
    running_var=np.array([11, 12, 13], np.float32),
)

Problem = str | None


def problems(name: str) -> Iterator[tuple[str, Problem]]:
    """Yield each step and what is wrong with it, None where nothing is.

    Raises:
        AdapterError: the name cannot be resolved.
    """
    subject = Subject(resolve(name))
    implementation = subject.implementation
    offered = ", ".join(sorted(c.value for c in implementation.capabilities))
    yield f"found: {implementation.kind}, offers {offered}", None
    if Capability.FORWARD in implementation.capabilities:
        yield _step("forward(0.0, x, 1.0) returns numbers", lambda: _forward(subject))
    if Capability.LAYER in implementation.capabilities:
        yield from _layer_problems(subject)


def _layer_problems(subject: Subject) -> Iterator[tuple[str, Problem]]:
    built: list[LiveLayer] = []
    yield (step := _step("build(Config(features=3, …))", lambda: _build(subject, built)))
    if step[1] is not None:
        return
    layer = built[0]
    yield _step("build returns a Layer", lambda: _is_layer(layer))
    yield _step("read gives the four arrays", lambda: _reads(layer))
    yield _step("write, then read, gives back what was written", lambda: _round_trip(layer))
    yield _step("read after a call gives values of now", lambda: _reads_live(layer))
    yield _step("two layers are two", lambda: _independent(subject))
    yield _step("a training call returns an array", lambda: _shape(layer, training=True))
    yield _step("an evaluation call returns an array", lambda: _shape(layer, training=False))
    for title, mistake in MISTAKES:
        yield _step(title, partial(mistake, subject))


def _step(title: str, action: Callable[[], Problem]) -> tuple[str, Problem]:
    try:
        return title, action()
    except ViolationFound as found:
        return title, str(found)
    except AdapterError as error:
        return title, str(error)


def _forward(subject: Subject) -> Problem:
    subject.forward(0.0, _X, 1.0)
    return None


def _build(subject: Subject, built: list[LiveLayer]) -> Problem:
    built.append(subject.build(_CONFIG))
    return None


def _is_layer(layer: LiveLayer) -> Problem:
    if isinstance(layer.layer, Layer):
        return None
    return f"{type(layer.layer).__name__} lacks __call__, read or write"


def _reads(layer: LiveLayer) -> Problem:
    shapes = {name: array.shape for name, array in layer.state.arrays().items()}
    wrong = {name: shape for name, shape in shapes.items() if shape != (3,)}
    return f"shapes {wrong}: each array must be (D,) = (3,)" if wrong else None


def _round_trip(layer: LiveLayer) -> Problem:
    layer.write(_STATE)
    after = layer.state.arrays()
    for name in ARRAYS:
        if not np.array_equal(after[name], _STATE.arrays()[name]):
            other = [n for n in ARRAYS if np.array_equal(after[name], _STATE.arrays()[n])]
            swapped = f": that is {other[0]}, so two names are swapped" if other else ""
            return f"{name} was written as {_STATE.arrays()[name]}, read as {after[name]}{swapped}"
    return None


def _reads_live(layer: LiveLayer) -> Problem:
    held = layer.raw["running_mean"]
    before = np.array(held)
    layer.train(_X)
    if np.array_equal(np.asarray(held), before):
        return None
    return "values read before a call changed with the call: read must not hand out views"


def _independent(subject: Subject) -> Problem:
    one, two = subject.build(_CONFIG), subject.build(_CONFIG)
    before = two.state.running_mean
    one.write(_STATE)
    if np.array_equal(two.state.running_mean, before):
        return None
    return "writing to one layer changed another: build must construct a new one each time"


def _shape(layer: LiveLayer, *, training: bool) -> Problem:
    y = layer.train(_X) if training else layer.evaluate(_X)
    return None if y.shape == _X.shape else f"shape {y.shape} for an input of shape {_X.shape}"
