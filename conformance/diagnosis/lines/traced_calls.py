"""Which calls of the experiment are traced, and simple ones whose numbers are shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conformance.adapters.protocols import Config
from conformance.diagnosis.experiment import Call
from conformance.diagnosis.observe import Observation
from conformance.numerics.state import State
from conformance.properties.support.subject import Subject

_LARGEST = 4096
"""The most numbers in a batch that is traced."""

_FEWEST_ROWS = 3
"""Fewer rows have a variance of zero, or deviations from the mean of one size."""

_BLOCK = 16
"""The rows of a block: a call of many has more."""

_MANY = 64
"""The most rows of a call with many: a loop over more of them may be too long to trace."""

_NEAR = 10
"""Standard deviations between zero and a mean that is near to it."""

_VISIBLE = 1e-4
"""The smallest ε, and weight of a statistic, that shows in a sum with numbers near 1."""

_X = np.array([[0], [1], [5]], np.float32)
_W = np.array([[1], [0], [0.5]], np.float32)
_CONFIG = Config(features=1, momentum=0.75, eps=0.1)
_STATE = State(*(np.array([each], np.float32) for each in (1.5, -0.5, 0.25, 2.0)))
"""A call whose numbers are easy to follow, and a cotangent."""

_FORWARD = Config(features=1, momentum=0.9, eps=1e-5)
"""The configuration of forward functions."""


def simple_call(subject: Subject, like: Observation) -> Observation:
    """Return a call of the kind and mode of another one whose numbers are easy to follow."""
    made = like.call
    assert made is not None, "a call is traced"  # noqa: S101
    flag = not made.training
    if like.before is None:
        return Observation(0, _FORWARD, Call(_X, float(flag)))
    config = subject.implementation.design.configured(_CONFIG)
    if like.gradients is None:
        return Observation(0, config, Call(_X, flag, mode=made.mode), _STATE)
    w = np.ones((2, 1), np.float32) if made.kind == "through" else _W
    call = Call(_X, flag, cotangent=w, kind=made.kind)
    return Observation(0, config, call, _STATE, gradients={})


def calls_before(call: Observation, observations: Sequence[Observation]) -> list[Observation]:
    """Return the calls of a layer before one of them."""
    same = [each for each in observations if each.series == call.series]
    at = next(index for index, each in enumerate(same) if each is call)
    return [each for each in same[:at] if each.gradients is None and each.call is not None]


def is_traceable(observation: Observation) -> bool:
    """Return whether a call can be traced, with numbers that tell values apart."""
    call, before = observation.call, observation.before
    if call is None or observation.raised or call.kind not in {"call", "gradient"} or call.around:
        return False
    arrays = () if before is None else before.arrays().values()
    finite = all(np.isfinite(each).all() for each in (call.x, *arrays))
    plain = type(call.flag) in ((bool,) if before is not None else (bool, int, float))
    return finite and plain and call.x.size <= _LARGEST


def rank(observation: Observation) -> tuple[bool, int, int]:
    """Return a key by which calls that tell values apart come first, the smallest before."""
    rows, features = (0, 0) if observation.call is None else observation.call.x.shape
    config, state = observation.config, observation.before
    arrays = () if state is None else state.arrays().values()
    alike = sum(bool((array == array[:1]).all()) for array in arrays)
    faint = (config.eps < _VISIBLE) + (not _VISIBLE < config.momentum < 1 - _VISIBLE)
    return rows < _FEWEST_ROWS or features == 1, alike + faint, rows * features


def divide_by_rows(
    seen: Sequence[Observation],
) -> tuple[list[Observation], list[Observation]]:
    """Return calls without one of many rows, and that one, if there is any.

    A loop over blocks of rows has no turn in a small batch, and what it begins with is the result.
    """
    large = max(filter(_rows, seen), key=_clarity, default=None)
    small = [each for each in seen if each is not large]
    return small, [] if large is None else [large]


def _rows(observation: Observation) -> int:
    """Return the number of rows, if it is that of a call with many."""
    rows = 0 if observation.call is None else len(observation.call.x)
    return rows if _BLOCK < rows <= _MANY else 0


def _clarity(observation: Observation) -> tuple[bool, int, int]:
    """Return a key: near zero, where a variance in one pass is right, numbers that differ, rows."""
    assert observation.call is not None, "it has rows"  # noqa: S101
    x = observation.call.x.astype(np.float64)
    _, alike, _ = rank(observation)
    return bool((np.abs(x.mean(0)) <= _NEAR * x.std(0)).all()), -alike, len(x)
