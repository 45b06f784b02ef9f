"""Checks of the arguments of the public strategies."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from hypothesis.strategies import SearchStrategy

Shape = tuple[int, int]

SMALLEST, LARGEST = 2.0**-126, 2.0**127
"""Limits of ε: the smallest normal float32, and about the largest one."""


def check_integers(what: str, low: Any, high: Any, *, least: int) -> None:
    """Check the arguments ``min_what`` and ``max_what``, which are at least ``least``.

    Raises:
        InvalidArgument: One is not an integer, or out of its range.
    """
    for name, value, floor in ((f"min_{what}", low, least), (f"max_{what}", high, low)):
        check_integer(name, value, least=floor)


def check_integer(name: str, value: Any, *, least: int) -> None:
    """Check an argument that is an integer of at least ``least``.

    Raises:
        InvalidArgument: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        msg = f"{name}={value!r}: expected an integer of at least {least}"
        raise InvalidArgument(msg)


def check_numbers(what: str, low: Any, high: Any, *, least: float, most: float) -> None:
    """Check the arguments ``min_what`` and ``max_what``, which are from ``least`` to ``most``.

    Raises:
        InvalidArgument: One is not a number, or out of its range.
    """
    for name, value, floor in ((f"min_{what}", low, least), (f"max_{what}", high, low)):
        check_number(name, value, least=floor, most=most)


def check_number(name: str, value: Any, *, least: float, most: float) -> None:
    """Check an argument that is a number from ``least`` to ``most``.

    Raises:
        InvalidArgument: It is not.
    """
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not least <= value <= most:
        msg = f"{name}={value!r}: expected a number from {least:.4g} to {most:.4g}"
        raise InvalidArgument(msg)


def checked_shape(shape: Any) -> Shape:
    """Return a shape (N, D) as two integers.

    Raises:
        InvalidArgument: It is none.
    """
    match shape:
        case (int() | np.integer(), int() | np.integer()) if min(shape) >= 1:
            return int(shape[0]), int(shape[1])
    msg = f"shape={shape!r}: expected (N, D) with N and D of at least 1, such as (8, 3)"
    raise InvalidArgument(msg)


def eps_strategy(eps: float | SearchStrategy[float]) -> SearchStrategy[float]:
    """Return a strategy for ε from one, or from its only value.

    Raises:
        InvalidArgument: It is neither.
    """
    if isinstance(eps, SearchStrategy):
        return eps
    check_number("eps", eps, least=SMALLEST, most=LARGEST)
    return st.just(float(eps))


def momentum_strategy(momentum: float | SearchStrategy[float]) -> SearchStrategy[float]:
    """Return a strategy for m from one, or from its only value.

    Raises:
        InvalidArgument: It is neither.
    """
    if isinstance(momentum, SearchStrategy):
        return momentum
    check_number("momentum", momentum, least=0.0, most=1.0)
    return st.just(float(momentum))
