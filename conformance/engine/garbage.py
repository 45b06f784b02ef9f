"""Looks for garbage less often than the interpreter would."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

ALLOCATIONS = 20_000
"""Between two collections of the youngest garbage. JAX, NNX and NumPy make much of it and few
cycles; with the 700 of the interpreter, a tenth of the time goes into looking for them."""


def collect_rarely() -> None:
    """Look for garbage less often from now on, in a process of the suite."""
    gc.set_threshold(ALLOCATIONS, 10, 10)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Look for garbage less often inside the block, in the user's process."""
    before = gc.get_threshold()
    collect_rarely()
    try:
        yield
    finally:
        gc.set_threshold(*before)
