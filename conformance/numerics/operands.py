"""Checks of the arguments of ``conformance.oracle`` and ``conformance.bounds``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Float64 = npt.NDArray[np.float64]

MOST_ROWS = 2**17
"""N up to which second-order terms are within the 5 % that bounds have in reserve."""

LARGEST_X, LARGEST_FACTOR = 1e15, 1e9
"""Sizes up to which no product that a correct kernel may form overflows float32."""

LARGEST_VARIANCE = LARGEST_X**2
SMALLEST_EPS = 1e-16


def as_rows(x: Any, axis: int = -1) -> Float64:
    """Return x as a matrix (N, D) in float64, with the features along the last axis.

    Args:
        x: A batch of two axes or more.
        axis: The axis of the features.

    Raises:
        ValueError: It is not such a batch.
    """
    array = np.asarray(x)
    if array.ndim < 2:
        msg = f"x has shape {array.shape}: expected (N, D), or more axes of which one has features"
        raise ValueError(msg)
    if not -array.ndim <= axis < array.ndim:
        msg = f"axis={axis}: x has the axes {-array.ndim} to {array.ndim - 1}"
        raise ValueError(msg)
    if array.size == 0:
        msg = f"x has shape {array.shape}: expected at least one row and one feature"
        raise ValueError(msg)
    moved = np.moveaxis(array, axis, -1)
    return as_float64("x", moved, LARGEST_X).reshape(-1, moved.shape[-1])


def as_batch(values: Float64, shape: tuple[int, ...], axis: int = -1) -> Float64:
    """Return the rows of ``as_rows`` in the shape that the batch had."""
    moved = list(shape)
    moved.append(moved.pop(axis))
    return np.moveaxis(values.reshape(moved), -1, axis)


def as_vector(name: str, values: Any, features: int, largest: float = LARGEST_FACTOR) -> Float64:
    """Return an array of one number per feature, (D,), in float64.

    Raises:
        ValueError: It has another shape, or numbers that no float32 kernel can receive.
    """
    array = np.asarray(values)
    if array.shape != (features,):
        msg = f"{name} has shape {array.shape}: expected ({features},), one number per feature"
        raise ValueError(msg)
    return as_float64(name, array, largest)


def as_float64(name: str, values: Any, largest: float) -> Float64:
    """Return numbers in float64 if they are float32 numbers of at most ``largest``.

    Raises:
        ValueError: They are not.
    """
    try:
        exact = np.asarray(values).astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{name} has the dtype {np.asarray(values).dtype}: expected numbers"
        raise ValueError(msg) from error
    with np.errstate(over="ignore"):
        rounded = exact.astype(np.float32).astype(np.float64)
    if np.asarray(values).dtype == np.float64 or exact.dtype.kind == "i":
        _refuse(
            name,
            exact,
            rounded != exact,
            "is not a float32 number: pass the array that the "
            "kernel received, such as x.astype(np.float32)",
        )
    _refuse(name, exact, ~np.isfinite(exact), "is not finite, so no result is defined")
    _refuse(
        name,
        exact,
        np.abs(exact) > largest,
        f"is beyond {largest:g}, up to which no product of a correct kernel overflows",
    )
    return exact


def check_eps(eps: float) -> float:
    """Return ε if it is a positive number.

    Raises:
        ValueError: It is not, or so small that 1/√ε may overflow in products.
    """
    if not (isinstance(eps, int | float | np.number) and SMALLEST_EPS <= eps < math.inf):
        msg = f"eps={eps!r}: expected a number of at least {SMALLEST_EPS:g}"
        raise ValueError(msg)
    return float(eps)


def check_momentum(momentum: float) -> float:
    """Return m if it is in [0, 1].

    Raises:
        ValueError: It is not.
    """
    if not (isinstance(momentum, int | float | np.number) and 0 <= momentum <= 1):
        msg = f"momentum={momentum!r}: expected the weight of the old value, from 0 to 1"
        raise ValueError(msg)
    return float(momentum)


def cotangent_rows(shape: tuple[int, ...], cotangent: Any, axis: int) -> Float64:
    """Return a cotangent of a batch of the given shape as rows, (N, D).

    Raises:
        ValueError: It has another shape, or numbers that are out of their range.
    """
    if np.shape(cotangent) != shape:
        msg = f"cotangent has shape {np.shape(cotangent)}: expected that of x, {shape}"
        raise ValueError(msg)
    moved = np.moveaxis(np.asarray(cotangent), axis, -1)
    return as_float64("cotangent", moved, LARGEST_FACTOR).reshape(-1, moved.shape[-1])


def check_rows(rows: int) -> None:
    """Refuse batches with more rows than the bounds hold for.

    Raises:
        ValueError: There are more.
    """
    if rows > MOST_ROWS:
        msg = (
            f"x has {rows} rows: the bounds are proved up to {MOST_ROWS}, and grow with the "
            "number of rows. Test with fewer; BN-LARGE has data whose sums are exact for more"
        )
        raise ValueError(msg)


def _refuse(name: str, values: Float64, wrong: Any, why: str) -> None:
    if np.any(wrong):
        place = np.unravel_index(np.argmax(wrong), values.shape)
        index = f"[{', '.join(map(str, place))}]" if place else ""
        msg = f"{name}{index} = {float(values[place])!r} {why}"
        raise ValueError(msg)
