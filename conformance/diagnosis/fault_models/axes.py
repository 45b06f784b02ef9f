"""Axes of a batch that the statistics leave out, in layers for sequences and images."""

from __future__ import annotations

# Steps accept every argument that the model passes; loop variables are bound as defaults.
# ruff: noqa: ARG005
from typing import Any

import numpy as np

from conformance.adapters.calling import factorize
from conformance.diagnosis.approximate import Approximate, average
from conformance.diagnosis.fault_model import Parameter, alternative, family
from conformance.diagnosis.reference_model import Pair, ReferenceModel

_mean, _var = ReferenceModel.batch_mean, ReferenceModel.batch_var

_AXES = Parameter((0, 1, 2, 3, 4), threshold=True)


def _spread(m: ReferenceModel, rows: int) -> tuple[tuple[int, ...], int]:
    """Return the lengths of the axes over which rows are spread, and the feature axis of x."""
    layout = m.conventions.design.layout
    sizes = m.around or factorize(rows, layout.ndim - 1)
    last = len(sizes)
    return sizes, m.axis % (last + 1) if m.around else 1 if layout.first else last


def _positions(m: ReferenceModel, rows: int, axis: float) -> np.ndarray:
    """Return the position of each row along an axis of x, (N,); zeros along the feature axis."""
    sizes, features = _spread(m, rows)
    own = int(axis) - (axis > features)  # among the axes that rows are spread over
    if own >= len(sizes) or axis == features:
        return np.zeros(rows, int)
    found: np.ndarray = np.indices(sizes)[own].ravel()
    return found


def _apart(m: ReferenceModel, x: Approximate, axis: float, mean: Approximate | None = None) -> Pair:
    """Return the mean and variance of the rows with the position of each row, (N, D) each.

    The variance is around the mean of the position, or around another one if that is given.
    """
    positions = _positions(m, x.shape[0], axis)
    groups = [x[positions == position] for position in range(positions.max() + 1)]
    means = [_mean(m, group) for group in groups]
    around = means if mean is None else [mean] * len(groups)
    variances = [_var(m, *each) for each in zip(groups, around, strict=True)]
    return _of_rows(means, positions), _of_rows(variances, positions)


def _of_rows(found: list[Approximate], positions: np.ndarray) -> Approximate:
    value, error = (np.stack([getattr(a, n) for a in found]) for n in ("value", "error"))
    return Approximate(value[positions], error[positions])


def _averaged(m: ReferenceModel, x: Approximate, mean: Approximate, var: Approximate) -> None:
    """Store the averages of statistics that differ from row to row."""
    ReferenceModel.update(m, x, *(average(a, 0)[0] if len(a.shape) > 1 else a for a in (mean, var)))


def _both(axis: float) -> dict[str, Any]:
    return {"statistics": lambda m, x: _apart(m, x, axis), "update": _averaged}


def _mean_only(axis: float) -> dict[str, Any]:
    def statistics(m: ReferenceModel, x: Approximate) -> Pair:
        mean, var = _apart(m, x, axis)
        return mean, average(var, 0)[0]

    return {"statistics": statistics, "update": _averaged}


def _own_variance(axis: float) -> dict[str, Any]:
    return {"batch_var": lambda m, x, mean: _apart(m, x, axis)[1], "update": _averaged}


def _variance_around_mean(axis: float) -> dict[str, Any]:
    return {"batch_var": lambda m, x, mean: _apart(m, x, axis, mean)[1], "update": _averaged}


def _first(m: ReferenceModel, x: Approximate, axis: float) -> Approximate:
    return x[_positions(m, x.shape[0], axis) == 0]


def _first_only(axis: float) -> dict[str, Any]:
    mean = {"batch_mean": lambda m, x: _mean(m, _first(m, x, axis))}
    return mean | _variance_of_first(axis)


def _variance_of_first(axis: float) -> dict[str, Any]:
    return {"batch_var": lambda m, x, mean: _var(m, _first(m, x, axis), mean)}


def _too_large(m: ReferenceModel, rows: int, axis: float) -> float:
    """Return by what a mean is too large whose sum is divided by the length of one axis of x."""
    sizes, features = _spread(m, rows)
    lengths = [*sizes[:features], m.config.features, *sizes[features:]]
    return rows / lengths[int(axis)]


def _divided_by_length(axis: float) -> dict[str, Any]:
    return {
        "batch_mean": lambda m, x: _mean(m, x) * _too_large(m, x.shape[0], axis),
        "batch_var": lambda m, x, mean: _var(m, x, mean) * _too_large(m, x.shape[0], axis),
    }


for _id, _words, _steps in (
    (
        "divided-by-one-axis",
        "sums over all axes of x are divided by the length of axis {c} alone",
        _divided_by_length,
    ),
    ("axis-left-out", "the statistics leave out axis {c} of x: each position has its own", _both),
    (
        "axis-left-out-of-variance",
        "the variance leaves out axis {c} of x: each position has its own",
        _own_variance,
    ),
    (
        "axis-left-out-of-squares",
        "the mean of squares leaves out axis {c} of x: each position has its own variance",
        _variance_around_mean,
    ),
    (
        "axis-left-out-of-mean",
        "the mean leaves out axis {c} of x: each position has its own",
        _mean_only,
    ),
    ("first-position-only", "the statistics are those of position 0 of axis {c} of x", _first_only),
    (
        "variance-of-first-position",
        "the variance is that of position 0 of axis {c} of x",
        _variance_of_first,
    ),
):
    family(
        _id,
        _words,
        _AXES,
        _steps,
        remedy="sum over every axis but that of the features",
        needs=2,
        spread=True,
    )


def _along_last(m: ReferenceModel, rows: int, array: Approximate) -> Approximate:
    """Return an array, (D,), as it lies along the last axis of x, (N, 1); unchanged if that is D.

    Raises:
        ValueError: The last axis has another length.
    """
    sizes, features = _spread(m, rows)
    if features == len(sizes):
        return array
    if sizes[-1] != array.shape[0]:
        raise ValueError("shapes that cannot be combined")
    return array[_positions(m, rows, len(sizes))][:, None]


def _affine_along_last(*chosen: str) -> Any:
    def affine(m: ReferenceModel, z: Approximate) -> Approximate:
        arrays = {"gamma": m.scale(), "beta": m.shift()}
        along = {n: _along_last(m, z.shape[0], a) if n in chosen else a for n, a in arrays.items()}
        return along["gamma"] * z + along["beta"]

    return affine


def _used_along_last(m: ReferenceModel, x: Approximate, *used: Approximate) -> Pair:
    mean, var = used or (m.running_mean, m.running_var)
    return _along_last(m, x.shape[0], mean), _along_last(m, x.shape[0], var)


for _name, _what, _replaced in (
    ("gamma", "γ is", {"affine": _affine_along_last("gamma")}),
    ("beta", "β is", {"affine": _affine_along_last("beta")}),
    ("affine", "γ and β are", {"affine": _affine_along_last("gamma", "beta")}),
    (
        "running-statistics",
        "the running statistics are",
        {"evaluation_statistics": _used_along_last},
    ),
    (
        "statistics",
        "the statistics are",
        {"evaluation_statistics": _used_along_last, "training_statistics": _used_along_last},
    ),
):
    alternative(
        f"{_name}-along-last-axis",
        f"{_what} applied along the last axis of x, wherever the features are",
        remedy="reshape the array so that D lies on the feature axis",
        needs=2,
        spread=True,
        **_replaced,
    )
