"""Strategies that read values from a fixed-length string of bytes, one string per case.

The idea is Hypothesis's own *choice sequence*: a generator reads choices from a sequence, and a
failure is made small by making the sequence simpler. Here Hypothesis draws short seeds only, and
each seed is expanded to the bytes of several cases. Compared with drawing every number through
Hypothesis:

- a case costs a fraction of one short draw, whatever its size;
- every case is new. Hypothesis mutates a case by copying one of its draws over another, and with
  many draws three cases in four would be near copies of the one before;
- cases depend on the seed alone. Hypothesis sometimes draws a constant from the user's own source
  code, so the same seed would generate other cases in another project.

Bytes shrink towards zero, and zero is the simplest entry of every table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")
P = ParamSpec("P")

SIZE = 256
"""Bytes per case: enough for five batches of three features without reading any byte twice."""

BYTES = st.binary(min_size=SIZE, max_size=SIZE)
"""The bytes of a case, for tests in which Hypothesis itself shrinks failures."""

_SEED_SIZE = 33

SEEDS = st.binary(min_size=_SEED_SIZE, max_size=_SEED_SIZE)
"""What Hypothesis draws in a run: it draws byte by byte, so all 256 bytes would cost more than
judging most cases. Constants in a user's code seldom have this length."""


def expand_seed(seed: bytes, number: int = 0) -> bytes:
    """Expand a seed to the bytes of one of its cases; the zero seed starts with the simplest case.

    Args:
        seed: The bytes that Hypothesis drew.
        number: Which of the seed's cases, from 0 to 65 535.

    Returns:
        ``SIZE`` bytes.
    """
    if not any(seed) and number == 0:
        return bytes(SIZE)
    return hashlib.shake_256(seed + number.to_bytes(2)).digest(SIZE)


class ByteReader:
    """Reads the bytes of one case from front to back.

    Cases with many numbers need more bytes than there are. They read the same bytes again, with
    each byte changed by an amount that depends on the round and on its position.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = self._read = raw
        self._position = 0

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes.

        Args:
            count: In bytes.
        """
        start, self._position = self._position, self._position + count
        while len(self._read) < self._position:
            self._read += self._round(len(self._read) // len(self._raw))
        return self._read[start : self._position]

    def _round(self, number: int) -> bytes:
        return bytes((b + number * (89 + 2 * place)) % 256 for place, b in enumerate(self._raw))

    def draw(self, strategy: ByteStrategy[T]) -> T:
        """Return the value that the strategy reads from the next bytes."""
        return strategy.draw_from(self)


@dataclass(frozen=True, slots=True)
class ByteStrategy(Generic[T]):
    """Reads a value from bytes: a cheaper counterpart of Hypothesis's ``SearchStrategy``."""

    draw_from: Callable[[ByteReader], T]

    def to_hypothesis(self) -> SearchStrategy[T]:
        """Return the Hypothesis strategy for the same values."""
        return BYTES.map(lambda raw: self.draw_from(ByteReader(raw)))


def composite(function: Callable[Concatenate[ByteReader, P], T]) -> Callable[P, ByteStrategy[T]]:
    """Turn a function of a reader and other arguments into a function that returns a strategy.

    The counterpart of ``hypothesis.strategies.composite``.
    """

    @wraps(function)
    def make_strategy(*args: P.args, **kwargs: P.kwargs) -> ByteStrategy[T]:
        return ByteStrategy(lambda reader: function(reader, *args, **kwargs))

    return make_strategy


@composite
def integers(reader: ByteReader, min_value: int, max_value: int) -> int:
    """Integers from ``min_value`` to ``max_value``, both included, shrinking to ``min_value``."""
    return min_value + int.from_bytes(reader.take(3)) % (max_value - min_value + 1)


def draw_from_bytes(raw: bytes, strategies: Mapping[str, ByteStrategy[Any]]) -> dict[str, Any]:
    """Draw one value from each strategy, in order, from the bytes of one case.

    Args:
        raw: ``SIZE`` bytes, as of ``expand_seed``.
        strategies: The strategies by the name of the value.

    Returns:
        The values by name.
    """
    reader = ByteReader(raw)
    return {name: reader.draw(strategy) for name, strategy in strategies.items()}
