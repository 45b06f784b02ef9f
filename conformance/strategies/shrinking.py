"""Shrinks a counterexample by simplifying the bytes from which it was drawn.

Zero is the simplest entry of every table, so the search is greedy: zero ever shorter stretches,
then lower the remaining bytes. A candidate with the same literal form is the same case and needs
no execution, so a few hundred executions are enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

_STRETCHES = (128, 64, 24, 8, 1)
_LOW = (1, 2, 3, 4, 5, 6, 7)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A candidate: its literal form, and a function that executes it; true if it violates."""

    literal: str
    violates: Callable[[], bool]


def shrink(raw: bytes, attempt: Callable[[bytes], Attempt], attempts: int) -> bytes | None:
    """Return the simplest bytes found that still violate; None if ``raw`` itself does not.

    Args:
        raw: The bytes of the counterexample.
        attempt: Makes the candidate for some bytes.
        attempts: The most candidates to execute.

    Returns:
        The bytes of the last execution that violated.
    """
    first = attempt(raw)
    if not first.violates():
        return None
    smallest, harmless = first.literal, set[str]()
    improved = True

    def current() -> bytes:
        return raw

    while improved:
        improved = False
        for candidate in _candidates(current):
            tried = attempt(candidate)
            if tried.literal == smallest:
                raw = candidate
            elif tried.literal not in harmless:
                if attempts <= 0:
                    return raw
                attempts -= 1
                if tried.violates():
                    raw, smallest, improved = candidate, tried.literal, True
                else:
                    harmless.add(tried.literal)
    return raw


def _candidates(current: Callable[[], bytes]) -> Iterator[bytes]:
    """Yield bytes that are simpler than the current ones, which may change in between."""
    size = len(current())
    for length in _STRETCHES:
        for start in range(0, size, length):
            raw = current()
            if any(raw[start : start + length]):
                stretch = min(length, size - start)
                yield raw[:start] + bytes(stretch) + raw[start + stretch :]
    for place in range(size):
        for low in (*_LOW, current()[place] // 2):
            raw = current()
            if low < raw[place]:
                yield raw[:place] + bytes([low]) + raw[place + 1 :]
