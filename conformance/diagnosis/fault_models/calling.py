"""Mistakes at particular shapes and containers, and changes to the caller's array."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005, PLW0108
from typing import Any

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64, exact, rearrange, where
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.reference_model import ReferenceModel

_normalized = ReferenceModel.normalized


def _skipping(
    m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate, first: int, last: int
) -> Approximate:
    """Return z with the features outside [first, last) unchanged."""
    z: Approximate = _normalized(m, x, mean, var)
    index = np.arange(x.shape[1])
    inside = (index >= first) & (index < last)
    return where(inside, z, x)


alternative(
    "last-feature-skipped",
    "the last feature is not normalised, if there is more than one",
    remedy="a loop over features must reach D",
    normalized=lambda m, x, mean, var: _skipping(m, x, mean, var, 0, max(x.shape[1] - 1, 1)),
)
alternative(
    "first-feature-skipped",
    "the first feature is not normalised, if there is more than one",
    normalized=lambda m, x, mean, var: _skipping(m, x, mean, var, int(x.shape[1] > 1), x.shape[1]),
)
family(
    "lanes-beyond",
    "features beyond the first {c} are not normalised",
    Parameter((1, 2, 3, 4, 8, 16, 32, 64, 128, 256), threshold=True),
    lambda c: {"normalized": lambda m, x, mean, var: _skipping(m, x, mean, var, 0, int(c))},
    remedy="handle the last block of features",
    needs=1,
)


def _by_rows(m: ReferenceModel, x: Approximate) -> Approximate:
    """Return the result of normalizing xᵀ instead of x, transposed back, without gamma and beta."""
    mean = ReferenceModel.batch_mean(m, x.T)
    return _normalized(m, x.T, mean, ReferenceModel.batch_var(m, x.T, mean)).T


alternative(
    "taken-as-transposed",
    "the batch is taken as transposed, features by rows",
    remedy="rows are examples, whatever the shape",
    train_step=lambda m, x: _by_rows(m, x),
)


def _in_memory_order(m: ReferenceModel, x: Float64) -> Approximate:
    """Return the elements of x in the order in which they lie in memory."""
    order = {"F": np.ravel(x, order="F"), "reversed": np.ravel(x[::-1, ::-1])}
    return exact(order.get(m.container, np.ravel(x)).reshape(x.shape))


alternative(
    "strides-ignored",
    "the memory of a NumPy view is read in the order in which it lies",
    remedy="honour strides: np.ascontiguousarray, or index",
    needs=2,
    take_input=_in_memory_order,
)
alternative(
    "fortran-ignored",
    "a NumPy array in Fortran order is read as if it were in C order",
    remedy="honour strides: np.ascontiguousarray, or index",
    needs=2,
    take_input=lambda m, x: exact(
        np.ravel(x, order="F").reshape(x.shape) if m.container == "F" else x
    ),
)
_COPY = "copy before writing into an array that was given"


def _noting(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> Approximate:
    z: Approximate = _normalized(m, x, mean, var)
    m.memory["centred"], m.memory["z"] = x - mean, z
    return z


def _afterwards(name: str) -> Any:
    def step(m: ReferenceModel, x: Float64) -> Any:
        return exact(x) if m.container == "jax" or m.compiled else m.memory[name]

    return step


alternative(
    "centred-in-place",
    "the caller's NumPy array is centred in place",
    remedy=_COPY,
    normalized=_noting,
    input_afterwards=_afterwards("centred"),
)
alternative(
    "normalised-in-place",
    "the caller's NumPy array is normalised in place",
    remedy=_COPY,
    normalized=_noting,
    input_afterwards=_afterwards("z"),
)


def _noting_y(m: ReferenceModel, y: Approximate) -> Approximate:
    m.memory["y"] = y
    return y


alternative(
    "overwritten-by-y",
    "the caller's NumPy array is overwritten with the result",
    remedy=_COPY,
    finish=_noting_y,
    input_afterwards=_afterwards("y"),
)
alternative("y-transposed", "y comes out transposed", finish=lambda m, y: y.T)
alternative(
    "y-squeezed",
    "axes of length one are dropped from y",
    finish=lambda m, y: rearrange(np.squeeze, y),
)
