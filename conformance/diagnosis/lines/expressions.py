"""The expressions that a call evaluates, as operations such as ``trace_call`` report them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.adapters.errors import printable
from conformance.diagnosis.approximate import Approximate, Float64

_NEAR = 1e-5
"""The largest relative difference of two values that are the same."""

_COARSE = 1e-3
"""The largest relative error of a prediction that can be recognized."""

_CLEAR = 4
"""How many times the tolerance apart two values must be to be told apart."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expression is; lines and columns count from 1, the end is excluded."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str

    def contains(self, other: Place) -> bool:
        """Return whether another place is in this one."""
        inside = (self.line, self.column) <= (other.line, other.column)
        inside &= (other.end_line, other.end_column) <= (self.end_line, self.end_column)
        return inside and self.file == other.file


@dataclass(frozen=True, slots=True)
class Use:
    """Where a name is used that has the value of an expression.

    Attributes:
        place: Where it is; the text is that of the statement.
        passes: Whether the value is only handed on there.
        lines: The first and the last line of the statement.
    """

    place: Place
    passes: bool
    lines: tuple[int, ...]

    def surrounds(self, other: Place) -> bool:
        """Return whether a place is in the statement."""
        inside = self.lines[:1] <= (other.line,) and (other.end_line,) <= self.lines[1:]
        return inside and other.file == self.place.file


@dataclass(frozen=True, slots=True)
class Expression:
    """An evaluated expression.

    Attributes:
        place: Where it is.
        values: The arrays that others use of it.
        operands: The arrays of others that it uses.
        constants: The numbers in it that JAX does not compute, as text: NaN equals NaN.
        numbers: By which repairs name its values.
        sources: The positions of the expressions that compute its operands, -1 for none.
        callers: The calls around it, the innermost first.
        reaches: The names of the results that depend on it.
        uses: Where the names are used that it is assigned to.
    """

    place: Place
    values: tuple[Float64, ...]
    operands: tuple[Float64, ...] = ()
    constants: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    sources: tuple[int, ...] = ()
    callers: tuple[Place, ...] = ()
    reaches: frozenset[str] = frozenset()
    uses: tuple[Use, ...] = ()


def read_expressions(reported: Any) -> list[Expression]:
    """Return the expressions that an operation reports."""
    found = (_read(each) for each in reported) if isinstance(reported, list) else ()
    return [expression for expression in found if expression is not None]


_NUMBERS = ("line", "column", "end_line", "end_column")


def _read(reported: Any) -> Expression | None:
    """Return an expression from a process that is not trusted; None if it is something else."""
    place = read_place(reported)
    if place is None or not isinstance(reported.get("values"), list):
        return None
    values, operands, constants = (
        _numbers(reported.get(name)) for name in ("values", "operands", "constants")
    )
    callers = map(read_place, _list(reported.get("callers")))
    return Expression(
        place,
        values,
        operands,
        constants=tuple(str(float(each)) for each in constants if each.size == 1),
        numbers=_whole(reported.get("numbers")),
        sources=_whole(reported.get("sources")),
        callers=tuple(each for each in callers if each is not None),
        reaches=frozenset(each for each in _list(reported.get("reaches")) if type(each) is str),
        uses=tuple(
            Use(place, each.get("passes") is True, _whole(each.get("lines")))
            for each in _list(reported.get("uses"))
            if (place := read_place(each)) is not None
        ),
    )


def _list(reported: Any) -> list[Any]:
    return reported if isinstance(reported, list) else []


def _whole(reported: Any) -> tuple[int, ...]:
    return tuple(each for each in _list(reported) if type(each) is int)


def read_place(reported: Any) -> Place | None:
    """Return a place from a process that is not trusted; None if it is something else."""
    if not isinstance(reported, dict):
        return None
    file, text = reported.get("file"), reported.get("text")
    if not isinstance(file, str) or not isinstance(text, str):
        return None
    numbers = [reported.get(name) for name in _NUMBERS]
    line, column, end_line, end_column = (n if type(n) is int else 0 for n in numbers)
    return Place(printable(file, ""), line, column, end_line, end_column, printable(text, ""))


def _numbers(arrays: Any) -> tuple[Float64, ...]:
    numeric = (a for a in _list(arrays) if isinstance(a, np.ndarray) and a.dtype.kind in "fiub")
    return tuple(a.astype(np.float64) for a in numeric)


def tolerance(predicted: Approximate) -> Float64 | None:
    """Return how far from a prediction its value may be; None if that is too far to be certain."""
    size = np.abs(predicted.value)
    limit: Float64 = _NEAR * size + 2 * predicted.error
    certain = np.isfinite(limit).all() and limit.max(initial=0) <= _COARSE * size.max(initial=0)
    return limit if certain else None


def is_clear(predicted: Approximate, other: Approximate) -> Any:
    """Return for each number whether two predictions differ enough to tell them apart."""
    limits = tolerance(predicted), tolerance(other)
    if predicted.shape != other.shape or limits[0] is None or limits[1] is None:
        return np.zeros(predicted.shape, bool)
    return np.abs(predicted.value - other.value) > _CLEAR * (limits[0] + limits[1])


def align(value: Float64, predicted: Approximate) -> Float64 | None:
    """Return a value in the shape of a prediction that it agrees with; None if it does not.

    Axes of length 1, equal rows and the order of axes do not matter.

    Args:
        value: The value of an expression.
        predicted: The prediction, (D,) or (N, D).
    """
    limit = tolerance(predicted)
    if limit is None:
        return None
    for candidate in (value, value.T):
        found = reshape(candidate, predicted.shape)
        if found is not None and (np.abs(found - predicted.value) <= limit).all():
            return found
    return None


def reshape(value: Float64, shape: tuple[int, ...]) -> Float64 | None:
    """Return an array in another shape, with equal numbers or rows instead of axes."""
    size = int(np.prod(shape))
    if value.size == 1:
        return np.full(shape, value.ravel()[0])
    if value.size == size:
        return value.reshape(shape)
    if value.size % max(size, 1) or value.size < size:
        return None
    rows = value.reshape(-1, size)
    return rows[0].reshape(shape) if (rows == rows[0]).all() else None
