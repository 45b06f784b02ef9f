"""Where all generated values come from: one fixed-length string of bytes per case.

Hypothesis draws seeds; the bytes of several cases are expanded from each, and everything else is
decoded from them. Compared with drawing every number by itself:

- a case costs a part of one short draw, whatever its size;
- every case is new. Hypothesis varies a case by copying one of its draws over another, which
  with many draws makes three cases in four a near copy of the one before;
- cases depend on the seed alone. Strategies for numbers now and then return a constant from
  the user's own source code, so that the same seed gives other cases in another project;
- bytes shrink towards zero, and zero is the simplest entry of every table.
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
"""The bytes of a case, for tests in which Hypothesis itself makes failures small."""

_SEED = 33

SEEDS = st.binary(min_size=_SEED, max_size=_SEED)
"""What Hypothesis draws in a run: it takes bytes one by one, which for all of them costs more
than deciding most cases. The length is one that constants in a user's code seldom have."""


def expanded(seed: bytes, number: int = 0) -> bytes:
    """Return the bytes of one of the cases that a seed stands for; zero is the simplest case."""
    if not any(seed) and number == 0:
        return bytes(SIZE)
    return hashlib.shake_256(seed + number.to_bytes(2)).digest(SIZE)


class Source:
    """A reader of the bytes of one case.

    Wide or long cases need more than there are; further rounds read the same bytes again, each
    shifted by an amount of its own.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = self._read = raw
        self._position = 0

    def take(self, count: int) -> bytes:
        """Return the next bytes."""
        start, self._position = self._position, self._position + count
        while len(self._read) < self._position:
            self._read += self._round(len(self._read) // len(self._raw))
        return self._read[start : self._position]

    def _round(self, turn: int) -> bytes:
        """Return all bytes again, as they are read the (turn+1)-th time."""
        return bytes((b + turn * (89 + 2 * place)) % 256 for place, b in enumerate(self._raw))

    def draw(self, decoder: Decoder[T]) -> T:
        """Return what the decoder makes of the next bytes."""
        return decoder.decode(self)


@dataclass(frozen=True, slots=True)
class Decoder(Generic[T]):
    """How a value is read from a source; the suite's own, cheaper kind of strategy."""

    decode: Callable[[Source], T]

    def strategy(self) -> SearchStrategy[T]:
        """Return the Hypothesis strategy for the value."""
        return BYTES.map(lambda raw: self.decode(Source(raw)))


def decoded(
    function: Callable[Concatenate[Source, P], T],
) -> Callable[P, Decoder[T]]:
    """Turn a function that reads a source into a function that returns a decoder.

    The counterpart of ``hypothesis.strategies.composite``.
    """

    @wraps(function)
    def make(*args: P.args, **kwargs: P.kwargs) -> Decoder[T]:
        return Decoder(lambda source: function(source, *args, **kwargs))

    return make


@decoded
def choices(source: Source, low: int, high: int) -> int:
    """Integers in [low, high], shrinking to low."""
    return low + int.from_bytes(source.take(3)) % (high - low + 1)


def decoded_from(raw: bytes, decoders: Mapping[str, Decoder[Any]]) -> dict[str, Any]:
    """Return several values that are read from one source, one after the other."""
    source = Source(raw)
    return {name: source.draw(decoder) for name, decoder in decoders.items()}
