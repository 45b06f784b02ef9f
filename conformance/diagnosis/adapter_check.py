"""Checks the contract of an adapter step by step; the layer behind it is not judged.

The steps build on one another, so the check ends with the first problem. Mistakes that respect
the contract but change results are in ``adapter_mistakes``.
"""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from conformance.adapters.errors import AdapterError, describe
from conformance.adapters.protocols import ARRAYS, Config
from conformance.adapters.resolve import resolve
from conformance.diagnosis.adapter_mistakes import MISTAKES, OF_NAMES
from conformance.diagnosis.sample_data import STATE
from conformance.numerics.state import State
from conformance.properties.support.checks import ViolationFound
from conformance.properties.support.layer_handle import LayerHandle
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
_CALL = "a call gets x, NumPy or JAX, and the flag, and returns y"


def problems(name: str) -> Iterator[tuple[str, Problem]]:
    """Yield each step of the check with its problem, or None; end with the first problem.

    Args:
        name: The implementation, as on the command line.

    Raises:
        AdapterError: The name cannot be resolved.
    """
    subject = Subject(resolve(name))
    implementation = subject.implementation
    offered = ", ".join(sorted(c.value for c in implementation.capabilities))
    yield f"found: {implementation.kind}, offers {offered}", None
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
        return _explain(found)
    except AdapterError as error:
        return str(error)


def _explain(found: ViolationFound) -> str:
    """Return a violation in words, with the exception that caused it and its location."""
    cause = found.__cause__
    if not isinstance(cause, Exception):
        return str(found)
    return f"{found.finding.quantity} raised {describe(cause)}{_place(cause)}"


def _place(error: Exception) -> str:
    """Return where the exception was raised: the last frame outside any package, if any."""
    packages = (sysconfig.get_path("purelib"), str(Path(__file__).parent.parent))
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(packages) and f.filename[:1] != "<"]
    own = [f for f in own if "site-packages" not in f.filename]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""


def _forward(subject: Subject) -> Problem:
    subject.forward(0.0, _X, 1.0)
    subject.session.finish()
    return None


def _builds(subject: Subject) -> Problem:
    """Build a layer that has the three methods."""
    try:
        layer, another = (subject.build(_CONFIG).layer for _ in range(2))
    except ViolationFound as found:
        return f"{_explain(found)}; {_BUILD}"
    lacking = [m for m in ("__call__", "read", "write") if not callable(getattr(layer, m, None))]
    if lacking:
        return f"build returned a {type(layer).__name__}, which lacks {' and '.join(lacking)}"
    return f"build returned the same layer twice; {_BUILD}" if another is layer else None


def _reads(subject: Subject) -> Problem:
    for features in (_CONFIG.features, _CONFIG.features + 2):
        layer = subject.build(replace(_CONFIG, features=features))
        live = layer.layer
        try:
            held: Any = live.read()
        except Exception as error:  # noqa: BLE001  an adapter may raise anything
            return f"read raised {describe(error)}{_place(error)}; {_READ}"
        if not isinstance(held, Mapping):
            return f"read returned a {type(held).__name__}; {_READ}"
        missing = [name for name in ARRAYS if name not in held]
        if missing:
            there = ", ".join(map(str, held))[:200] or "nothing"
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
        return f"{_explain(found)}; {_WRITE}"
    written, after = STATE.arrays(), layer.state.arrays()
    for name in ARRAYS:
        if not np.allclose(after[name], written[name], rtol=1e-2):
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
        layer = subject.build(_CONFIG, STATE).layer
        try:
            returned = layer(_X.copy(), flag)
        except Exception as error:  # noqa: BLE001  an adapter may raise anything
            what = f"the call with use_running_average={flag} raised {describe(error)}"
            return f"{what}{_place(error)}; {_CALL}"
        kind = type(returned).__name__
        if returned is None or isinstance(returned, tuple | list | dict):
            return f"a call returned a {kind}; return the array y alone"
        try:
            y = np.asarray(returned)
            numeric = y.dtype != object and y.astype(np.float64) is not None
        except Exception as error:  # noqa: BLE001  as above
            return f"a call returned a {kind}, of which NumPy makes no array: {describe(error)}"
        if not numeric:
            return f"a call returned a {kind}, of which NumPy makes no array of numbers"
        if y.shape != _X.shape:
            return f"y has shape {y.shape} for an input of shape {_X.shape}: return it as (N, D)"
    return None


def _reads_live(subject: Subject) -> Problem:
    layer = subject.build(_CONFIG, STATE)
    held = layer.layer.read()["running_mean"]
    before = np.array(held)
    layer.train(_X)
    subject.session.finish()
    if np.array_equal(np.asarray(held), before):
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
