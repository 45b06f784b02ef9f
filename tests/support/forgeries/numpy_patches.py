"""Patching NumPy, on which every comparison rests."""

from __future__ import annotations

import ctypes
import gc
import sys

import numpy as np

from support.forgeries import before_each_call, submission
from support.forgeries.layers import (
    Always42,
    EpsOutside,
    Explains42,
    Right,
    SwappedMomentum,
    Unbiased,
)


def _lie_to_the_suite(owner, name, lie):
    """Replace a function; only what the suite itself calls is answered by the lie."""
    right = getattr(owner, name)

    def answer(*args, **rest):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        return (lie if caller.startswith("conformance.") else right)(*args, **rest)

    setattr(owner, name, answer)
    return right


@submission(Always42)
def no_error_has_a_size():
    """The absolute value of everything is 0, and so is the error."""
    zeros = np.zeros_like
    _lie_to_the_suite(np, "abs", zeros)


@submission(EpsOutside)
def every_ratio_is_small():
    """The choice between an error and infinity is half a bound."""
    where = np.where

    def half(condition, *choice):
        return where(condition, 0.5, 0.5) if choice else where(condition)

    _lie_to_the_suite(np, "where", half)


@submission(SwappedMomentum)
def the_best_is_the_worst():
    """The position of the largest ratio is that of the smallest; arrays are methods of C."""
    methods = gc.get_referents(np.ndarray.__dict__)[0]
    methods["argmax"] = methods["argmin"]
    methods["any"] = lambda self, *args, **rest: False
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(np.ndarray))


@submission(Always42)
def every_array_equals_every_other():
    """Comparisons, equalities and searches for what differs find nothing."""
    _lie_to_the_suite(np, "allclose", lambda *args, **rest: True)
    _lie_to_the_suite(np, "array_equal", lambda *args, **rest: True)
    _lie_to_the_suite(np, "argwhere", lambda *args: np.empty((0, 2), int))
    _lie_to_the_suite(np, "isfinite", lambda value: np.ones(np.shape(value), bool))
    _lie_to_the_suite(np, "unravel_index", lambda index, shape: (slice(0, 0),))


@submission(Explains42)
def conversions_lose_the_error():
    """All that is converted is zeros: the answers, and the gamma and beta that explain them."""
    for name in ("array", "asarray"):
        right = getattr(np, name)
        _lie_to_the_suite(np, name, lambda *args, right=right, **rest: right(*args, **rest) * 0)


@submission(Always42)
def float64_is_something_else():
    """The name of the oracle's type is that of a type in which 42 is all there is."""
    np.float64 = lambda value=0.0: 42.0


@submission(Unbiased)
def the_oracle_divides_by_less():
    """The mean, and with it the variance that is expected, is divided by N−1."""
    methods = gc.get_referents(np.ndarray.__dict__)[0]
    right = methods["mean"]

    def mean(self, axis=None, **rest):
        found = right(self, axis=axis, **rest)
        biased = self.ndim == 2 and len(self) > 1 and (self >= 0).all()  # squares, most likely
        return found * len(self) / (len(self) - 1) if biased else found

    methods["mean"] = mean
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(np.ndarray))


@submission(Always42)
def patched_in_each_call():
    """Replaces whatever NumPy has, in each call, by functions that answer 0."""

    def patch():
        for name in ("abs", "subtract", "isnan", "isinf", "greater"):
            _lie_to_the_suite(np, name, lambda value, *_: np.zeros(np.shape(value)))

    return before_each_call(Always42, patch)


@submission(Right)
def neighbour_patches_numpy():
    """Right: counts calls, restores names that NumPy has removed, prints fewer digits."""
    calls = []
    mean = np.mean
    np.mean = lambda *args, **rest: (calls.append(1), mean(*args, **rest))[1]
    np.float64 = np.float64
    np.set_printoptions(precision=2)
    np.seterr(all="ignore")
    np.random.seed(0)  # noqa: NPY002


@submission(Right)
def neighbour_raises_on_nan():
    """Right: makes NumPy raise where it would warn."""
    np.seterr(divide="raise", invalid="raise")
