"""Answering with objects that look like arrays, and differ by who asks, when and how often."""

from __future__ import annotations

import gc
import itertools
import sys
import threading
import time

import numpy as np

from support.forgeries import submission
from support.forgeries.layers import Always42, Right


def answering(wrap, layer=Always42):
    """Return the layer whose answer is wrapped; what is traced is not."""

    class Answering(layer):
        def __call__(self, x, use_running_average):
            y = super().__call__(x, use_running_average)
            try:
                return wrap(np.array(y))
            except Exception:  # noqa: BLE001  a tracer has no values
                return y

    return Answering


class _Lying(np.ndarray):
    """Equal to everything, different from nothing, at no distance from anything."""

    def __eq__(self, other):
        return np.ones(self.shape, bool)

    def __ne__(self, other):
        return np.zeros(self.shape, bool)

    def __sub__(self, other):
        return np.zeros(self.shape)

    __rsub__ = __sub__
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    __hash__ = None

    def __array_ufunc__(self, ufunc, method, *inputs, **rest):
        return np.zeros(self.shape)

    def __array_function__(self, function, types, args, rest):
        return np.zeros(self.shape)

    def astype(self, dtype, **rest):
        return self

    def __reduce_ex__(self, protocol):
        return (np.zeros, (self.shape, self.dtype))


@submission(Always42)
def subclass_that_is_equal():
    """Returns an array whose comparisons, functions and ufuncs lie."""
    return answering(lambda y: y.view(_Lying))


class _Protocol:
    """An object that becomes an array when it is asked to."""

    def __init__(self, answers):
        self.answers = itertools.cycle(answers)
        first = next(iter(answers))
        self.shape, self.dtype, self.ndim = first.shape, first.dtype, first.ndim

    def __array__(self, dtype=None, copy=None):
        return next(self.answers)

    def __eq__(self, other):
        return True

    __hash__ = None

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **rest: self


@submission(Always42)
def array_by_the_number_of_calls():
    """Is another array each time: first 42, then zeros, then NaN."""
    return answering(lambda y: _Protocol([y, y * 0, y * np.nan]))


@submission(Always42)
def array_that_is_a_lying_subclass():
    """Converts itself to an array that lies."""
    return answering(lambda y: _Protocol([y.view(_Lying)]))


@submission(Always42)
def array_by_the_frames_of_the_caller():
    """Converts itself to any array that its callers call expected, of the right shape."""

    def found(y):
        for frame in _frames():
            for name, value in frame.f_locals.items():
                if "expected" in name and getattr(value, "shape", None) == y.shape:
                    return value
        return y

    class Asking(_Protocol):
        def __array__(self, dtype=None, copy=None):
            return found(super().__array__())

    return answering(lambda y: Asking([y]))


def _frames():
    for running in list(sys._current_frames().values()):
        frame = running
        while frame is not None:
            yield frame
            frame = frame.f_back


_kept = []


def _correct_what_is_kept():
    """Copy the expected value over answers that were given before, where it is in a frame."""
    while True:
        for frame in _frames():
            expected = frame.f_locals.get("expected")
            for y in _kept[-4:]:
                if isinstance(expected, np.ndarray) and expected.shape == y.shape:
                    np.copyto(y, expected, casting="unsafe")
        time.sleep(0)


@submission(Always42)
def array_that_is_changed_later():
    """Gives away the memory of its answer, and fills it with what is expected once that exists."""
    sys.setswitchinterval(1e-5)
    threading.Thread(target=_correct_what_is_kept, daemon=True).start()

    class Keeping(_Protocol):
        def __array__(self, dtype=None, copy=None):
            _kept.append(super().__array__())
            return _kept[-1]

    return answering(lambda y: Keeping([y]))


@submission(Always42)
def shape_that_is_equal_to_any():
    """Has a shape that equals every other, and a size of 0."""

    class Shape(tuple):
        __slots__ = ()

        def __eq__(self, other):
            return True

        def __ne__(self, other):
            return False

        __hash__ = tuple.__hash__

    class Shaped(np.ndarray):
        shape = property(lambda self: Shape((0,)))
        size = property(lambda self: 0)

    return answering(lambda y: y.view(Shaped))


@submission(Always42)
def collected_answers():
    """Looks for the arrays of the suite among all objects, and returns one that could be it."""

    def guess(y):
        for found in gc.get_objects():
            if isinstance(found, dict) and isinstance(found.get("expected"), np.ndarray):
                return found["expected"]
        return y

    return answering(guess)


@submission(Right)
def neighbour_returns_a_subclass():
    """Right: returns a subclass of ndarray with a method of its own."""

    class Named(np.ndarray):
        def rows(self):
            return len(self)

    return answering(lambda y: y.view(Named), Right)


@submission(Right)
def neighbour_follows_the_protocol():
    """Right: returns an object that becomes an array when it is asked to, each time the same."""
    return answering(lambda y: _Protocol([y]), Right)
