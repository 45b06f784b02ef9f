"""When to stop looking for mistakes, so that what is known by then can still be said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf

_until: ContextVar[float] = ContextVar("until", default=inf)


class OutOfTimeError(Exception):
    """The time to look for mistakes is up."""


@contextmanager
def looking_until(until: float) -> Iterator[None]:
    """Let ``check_time`` raise inside the block from a time on, in seconds since 1970."""
    token = _until.set(until)
    try:
        yield
    finally:
        _until.reset(token)


@contextmanager
def looking_for(seconds: float) -> Iterator[None]:
    """End the block without a result after some seconds, unless the time is up before."""
    ends = _until.get()
    with looking_until(min(ends, time.time() + seconds)):
        try:
            yield
        except OutOfTimeError:
            if time.time() > ends:
                raise


def check_time() -> None:
    """Return if there is time left.

    Raises:
        OutOfTimeError: There is none.
    """
    if time.time() > _until.get():
        raise OutOfTimeError
