"""Checks the contract of an adapter step by step; the layer behind it is not judged.

The steps build on one another, so the check ends with the first problem. Mistakes that respect
the contract but change results are in ``adapter_mistakes``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from conformance.adapters.operations.executor import ExecutorLost
from conformance.adapters.operations.values import NotNumeric
from conformance.adapters.protocols import ARRAYS, Config
from conformance.diagnosis.adapter_mistakes import MISTAKES, OF_NAMES
from conformance.engine.usability import explain_raised
from conformance.numerics.state import State
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.layer_handle import LayerHandle
from conformance.properties.support.sample_data import STATE
from conformance.properties.support.subject import Subject
from conformance.requirements import Capability

_CONFIG = Config(features=3, momentum=0.75, eps=1e-3)
_X = np.array([[0, 1, 2], [3, -1, 5]], np.float32)
_OTHER = State(*(np.array([7, 5, 6], np.float32) + 10 * k for k in range(4)))

Problem = str | None
Step = tuple[str, Callable[[], Problem]]

_BUILD = "`build` is a function from one Config to a new layer"
_READ = f"`read` returns a dict of {', '.join(ARRAYS)}"
_WRITE = "`write` gets a dict of NumPy arrays, each (D,)"
_INSPECT = "looking at what was returned"
_CALL = "a call gets x, NumPy or JAX, and the flag, and returns y"


def problems(subject: Subject) -> Iterator[tuple[str, Problem]]:
    """Yield each step of the check with its problem, or None; end with the first problem."""
    implementation = subject.implementation
    offered = ", ".join(sorted(c.value for c in implementation.capabilities))
    yield f"found: {implementation.kind}, offers {offered}", None
    if implementation.recognition is not None:
        yield f"recognized as {implementation.recognition.line}", None
    for title, action in _steps(subject):
        problem = _problem_of(action)
        yield title, problem
        if problem is not None:
            return


def _steps(subject: Subject) -> Iterator[Step]:
    if Capability.FORWARD in subject.implementation.capabilities:
        yield "forward(0.0, x, 1.0) returns numbers", partial(_forward, subject)
    if Capability.LAYER not in subject.implementation.capabilities:
        return
    for title, contract in _CONTRACT:
        yield title, partial(contract, subject)
    for title, mistake in OF_NAMES if subject.implementation.nnx_module else MISTAKES:
        yield title, partial(mistake, subject)


def _problem_of(action: Callable[[], Problem]) -> Problem:
    try:
        return action()
    except ViolationFound as found:
        return explain_raised(found)
    except ExecutorLost as lost:
        return str(lost)


def _forward(subject: Subject) -> Problem:
    subject.forward(0.0, _X, 1.0)
    subject.session.finish()
    return None


def _builds(subject: Subject) -> Problem:
    """Build a layer that has the three methods."""
    try:
        layer, another = (subject.build(_CONFIG) for _ in range(2))
        lacking = layer.ask("list_lacking", label=_INSPECT)
    except ViolationFound as found:
        return f"{explain_raised(found)}; {_BUILD}"
    if lacking:
        kind = layer.ask("name_type", label=_INSPECT)
        return f"build returned a {kind}, which lacks {' and '.join(lacking)}"
    same = layer.ask("is_same", another.ref, label=_INSPECT)
    return f"build returned the same layer twice; {_BUILD}" if same else None


def _reads(subject: Subject) -> Problem:
    for features in (_CONFIG.features, _CONFIG.features + 2):
        layer = subject.build(replace(_CONFIG, features=features))
        try:
            kind, names = layer.ask("list_read", label="read")
        except ViolationFound as found:
            return f"{explain_raised(found)}; {_READ}"
        if names is None:
            return f"read returned a {kind}; {_READ}"
        missing = [name for name in ARRAYS if name not in names]
        if missing:
            there = ", ".join(names)[:200] or "nothing"
            return f"read returned {there}, without {missing[0]}; {_READ}"
        problem = _right_shapes(layer, features)
        if problem is not None:
            return problem
    return None


def _right_shapes(layer: LayerHandle, features: int) -> Problem:
    shapes = {name: array.shape for name, array in layer.state.arrays().items()}
    wrong = {name: shape for name, shape in shapes.items() if shape != (features,)}
    if not wrong:
        return None
    name, shape = next(iter(wrong.items()))
    step = "reshape it in `read`, and back in `write`"
    if len(shape) == 1:
        step = "pass config.features to the constructor"
    return f"{name} has shape {shape} where config.features is {features}: {step}"


def _round_trip(subject: Subject) -> Problem:
    layer = subject.build(_CONFIG)
    try:
        layer.write(STATE)
        subject.session.finish()
    except ViolationFound as found:
        return f"{explain_raised(found)}; {_WRITE}"
    written = STATE.arrays()
    after = {name: np.asarray(array) for name, array in layer.state.arrays().items()}
    absent = subject.implementation.design.absent
    for name in ARRAYS:
        if name not in absent and not np.allclose(after[name], written[name], rtol=1e-2):
            return f"{name} was written as {written[name]}, read as {after[name]}" + _as(
                after[name], written[name]
            )
    return None


def _as(got: np.ndarray, given: np.ndarray) -> str:
    """Describe what happened to a value between writing and reading it, if it is recognized."""
    others = {f"what was written as {n}: names are exchanged": a for n, a in STATE.arrays().items()}
    forms = {
        "its square root: translate both in `read` and in `write`": np.sqrt(given),
        "its square: translate both in `read` and in `write`": given**2,
        "the value of a fresh layer: `write` does not store it": np.ones(3) * (got[0] == 1),
    }
    for words, value in {**others, **forms}.items():
        if got.shape == value.shape and np.allclose(got, value, rtol=1e-3):
            return f": that is {words}"
    return ""


def _calls(subject: Subject) -> Problem:
    for flag in (False, True):
        layer, detail = subject.build(_CONFIG, STATE), f"use_running_average={flag}"
        subject.session.finish()  # so that what raises later is the call
        words = {"label": "the call", "detail": detail}
        ref = subject.session.keep("call_live", layer.ref, _X, flag, **words)
        try:
            kind = subject.session.ask("name_type", ref, label=_INSPECT)
        except ViolationFound as found:
            return f"{explain_raised(found)}; {_CALL}"
        if kind in {"NoneType", "tuple", "list", "dict"}:
            return f"a call returned a {kind}; return the array y alone"
        (y,) = subject.session.ask("reread", [ref], label=_INSPECT)
        if isinstance(y, NotNumeric):
            return f"a call returned a {kind}, of which NumPy makes no array of numbers"
        if y.shape != _X.shape:
            return f"y has shape {y.shape} for an input of shape {_X.shape}: return it as (N, D)"
    return None


def _reads_live(subject: Subject) -> Problem:
    layer = subject.build(_CONFIG, STATE)
    kept = layer.keep("snapshot", label="read")
    before = layer.read_state("reread_snapshot", kept)
    layer.train(_X)
    after = layer.read_state("reread_snapshot", kept)
    if np.array_equal(after.running_mean, before.running_mean):
        return None
    return "values read before a call changed with the call: let `read` return copies"


def _independent(subject: Subject) -> Problem:
    new = "`build` must make a new layer with arrays of its own each time"
    fresh, trained = subject.build(_CONFIG), subject.build(_CONFIG)
    before = fresh.state.arrays()
    trained.train(_X)
    for name, array in fresh.state.arrays().items():
        if not np.array_equal(array, before[name], equal_nan=True):
            return f"training one layer changed {name} of another: {new}"
    one = subject.build(_CONFIG, STATE)
    subject.build(_CONFIG, _OTHER)
    for name, array in one.state.arrays().items():
        if np.allclose(array, _OTHER.arrays()[name], rtol=1e-2):
            return f"writing {name} to one layer changed another: {new}"
    return None


_CONTRACT: tuple[tuple[str, Callable[[Subject], Problem]], ...] = (
    ("build(Config(features=3, …)) returns a layer", _builds),
    ("read gives the four arrays, each (D,)", _reads),
    ("write, then read, gives back what was written", _round_trip),
    ("a call returns y, in both modes", _calls),
    ("two layers are two", _independent),
    ("read after a call gives values of now", _reads_live),
)
