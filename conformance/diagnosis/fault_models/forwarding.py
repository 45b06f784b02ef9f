"""Mistakes of a forward function f(seed, x, flag): the flag, the layout, memory, the seed."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG001, ARG005, PLW0108
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64, exact, map_values, rearrange
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.reference_model import RaisesError, ReferenceModel

_forward = ReferenceModel.forward
_FLAG = "bool(flag >= 0.5)"

_READINGS = {
    "truthy": ("is taken as a truth value, so 0.3 evaluates", lambda flag: bool(flag)),
    "rounded": (
        "trains at 0.5: it is compared by >, or rounded to even",
        lambda flag: bool(np.round(float(flag)) >= 1),
    ),
    "rounded-not-zero": (
        "is rounded and taken as a truth value",
        lambda flag: bool(np.round(float(flag)) != 0),
    ),
    "equals-one": ("evaluates only if it equals 1", lambda flag: bool(flag == 1)),
    "int": ("is cut to an integer, so 0.9 trains", lambda flag: int(flag) != 0),
    "int-positive": ("is cut to an integer, so 0.9 trains", lambda flag: int(flag) >= 1),
    "positive": ("evaluates wherever it is positive", lambda flag: bool(flag > 0)),
    "absolute": ("is taken by its size, so −1 evaluates", lambda flag: bool(abs(flag) >= 0.5)),
    "float-only": (
        "evaluates only as a Python float",
        lambda flag: isinstance(flag, float) and bool(flag >= 0.5),
    ),
}


for _name, (_words, _function) in _READINGS.items():
    alternative(
        f"flag-{_name}",
        f"the flag {_words}",
        _FLAG,
        remedy=f"use {_FLAG}",
        needs=1,
        evaluates=lambda m, flag, f=_function: f(flag),
    )

_FLAT = "flatten row by row: y.reshape(-1)"
alternative(
    "not-flat", "the result keeps the shape of the input", remedy=_FLAT, flatten=lambda m, y: y
)
alternative(
    "column-major",
    "the result is flattened feature by feature",
    remedy=_FLAT,
    flatten=lambda m, y: rearrange(lambda a: np.ravel(a.T), y),
)
alternative(
    "squeezed",
    "axes of length one are removed from the result, and others kept",
    remedy=_FLAT,
    flatten=lambda m, y: rearrange(np.squeeze, y),
)
alternative(
    "memory-order",
    "the result is flattened in the order in which the input lies in memory",
    remedy=_FLAT,
    needs=2,
    flatten=lambda m, y: rearrange(
        lambda a: np.ravel(a, order="F" if m.container == "F" else "C"), y
    ),
)
alternative(
    "memory-order-unless-c",
    "the result is flattened feature by feature unless the input lies row by row in memory",
    remedy=_FLAT,
    needs=2,
    flatten=lambda m, y: rearrange(
        lambda a: np.ravel(a, order="C" if m.container in {"C", "jax"} else "F"), y
    ),
)


def _blended(m: ReferenceModel, seed: Any, x: Float64, flag: Any) -> Approximate:
    share = float(np.clip(float(flag), 0, 1))
    evaluated, trained = _forward(m, seed, x, True), _forward(m, seed, x, False)
    return share * evaluated + (1 - share) * trained


alternative(
    "flag-blends",
    "the flag mixes the results of both modes",
    "flag·evaluated + (1−flag)·trained",
    remedy=f"choose by {_FLAG}",
    forward=_blended,
)


def _transposed(m: ReferenceModel, seed: Any, x: Float64, flag: Any) -> Approximate:
    m.write(_fresh_of(m, x.shape[0]))
    return rearrange(lambda a: np.ravel(a.T), m.call(x.T, flag))


def _fresh_of(m: ReferenceModel, features: int) -> dict[str, Approximate]:
    ones, zeros = exact(np.ones(features)), exact(np.zeros(features))
    return {"gamma": ones, "beta": zeros, "running_mean": zeros, "running_var": ones}


alternative(
    "forward-transposed",
    "the batch is taken as transposed",
    remedy="rows are examples, whatever the shape",
    forward=_transposed,
)


def _cached(m: ReferenceModel, seed: Any, x: Float64, flag: Any, by_seed: bool) -> Approximate:
    layers = m.memory.setdefault("layers", {})
    key = (x.shape[1], int(seed) if by_seed else 0)
    m.write(layers.get(key) or m.initial_state())
    y = m.call(x, flag)
    layers[key] = m.read()
    return rearrange(np.ravel, y)


_FRESH = "build a fresh layer at every call"
alternative(
    "layer-cached",
    "the layer is kept between calls, so training shows in later evaluations",
    remedy=_FRESH,
    remembers=True,
    forward=lambda m, seed, x, flag: _cached(m, seed, x, flag, by_seed=False),
)
alternative(
    "layer-cached-by-seed",
    "the layer is kept between calls with one seed, so training shows in later evaluations",
    remedy=_FRESH,
    remembers=True,
    forward=lambda m, seed, x, flag: _cached(m, seed, x, flag, by_seed=True),
)


def _integer_seed(m: ReferenceModel, seed: Any, x: Float64, flag: Any) -> Approximate:
    if not float(seed).is_integer():
        raise RaisesError
    return _forward(m, seed, x, flag)


def _no_float_seed(m: ReferenceModel, seed: Any, x: Float64, flag: Any) -> Approximate:
    if seed and isinstance(seed, float):
        raise RaisesError
    return _forward(m, seed, x, flag)


_CAST = "cast it: int(seed)"
alternative(
    "float-seed",
    "a seed that is a float raises: it is passed on without the cast",
    remedy=_CAST,
    forward=_no_float_seed,
)
alternative("seed-not-cut", "a seed with a fraction raises", remedy=_CAST, forward=_integer_seed)


def _rounding(decimals: float) -> dict[str, Any]:
    def rounded(m: ReferenceModel, x: Float64) -> Approximate:
        return exact(x) if m.container == "jax" else map_values(_to(decimals), x)

    return {"take_input": rounded, "input_afterwards": rounded}


def _to(decimals: float) -> Any:
    return lambda a: np.asarray(np.round(np.asarray(a, np.float32), int(decimals)), np.float64)


family(
    "rounded-in-place",
    "the caller's NumPy array is rounded in place to {c} decimals",
    Parameter((0, 1, 2, 3, 4, 5, 6), threshold=True),
    _rounding,
    remedy="copy before writing into an array that was given",
)
