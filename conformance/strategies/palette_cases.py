"""Strategies for cases and for streams of batches.

Every strategy takes the palette, the shapes and configurations to draw from, as its first argument,
because the palette belongs to the run and not to the property.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from conformance.adapters.protocols import ARRAYS
from conformance.numerics.state import Float32, State
from conformance.strategies.bytestream import ByteReader, composite, integers
from conformance.strategies.case import Case
from conformance.strategies.columns import BLOCK, Columns, decode_columns
from conformance.strategies.shape_grid import Entry

Palette = tuple[Entry, ...]


class Stream(NamedTuple):
    """A case and the batches that follow, each (N, D); N may vary in mixed streams."""

    case: Case
    following: list[Float32]


class Rewritten(NamedTuple):
    """A case and the state that replaces that of the case, four arrays of (D,)."""

    case: Case
    other: State


FRESH_FROM = 230
"""The byte from which a case uses the layer as constructed: one in ten, because faulty layers may
treat the first call differently."""

OFTEN_FRESH, SOMETIMES_FRESH = 128, 192
"""Half or a quarter of the layers as constructed: for requirements about the first updates."""

NEVER_FRESH = 256
"""Every layer in a drawn state."""

_PLAIN_FROM = 192
"""The byte from which one of the four arrays is as constructed, and the others are not: one case in
four. A term that is left out if γ is 1, β or the mean 0, or the variance 1 shows there."""


def draw_columns(reader: ByteReader, entry: Entry) -> Columns:
    """Draw a batch and a state.

    Args:
        reader: The bytes.
        entry: N and D, and the ε that scales some of the features.
    """
    blocks = [reader.take(BLOCK) for _ in range(entry.features)]
    return decode_columns(blocks, entry.rows, entry.eps)


@composite
def cases(reader: ByteReader, palette: Palette, *, fresh_from: int = FRESH_FROM) -> Case:
    """Cases: a layer in some state and one batch, of a shape and configuration from the palette.

    Args:
        reader: The bytes.
        palette: The entries to draw from; cases shrink to the first.
        fresh_from: The byte from which the layer is used as constructed; at least 256 for never.
    """
    which, freshness, container, plain, *_ = reader.take(6)
    entry = palette[which % len(palette)]
    columns = draw_columns(reader, entry)
    fresh = freshness >= fresh_from
    state = None if fresh else one_array_plain(columns.state, plain)
    return Case(config=entry.config, state=state, x=columns.x, as_jax=container % 2 == 1)


def one_array_plain(state: State, byte: int) -> State:
    """Return the state, of whose four arrays one is as constructed if the byte is large.

    Args:
        state: Four arrays of (D,).
        byte: From 0 to 255.
    """
    if byte < _PLAIN_FROM:
        return state
    name = ARRAYS[byte % len(ARRAYS)]
    return state.replace(**{name: getattr(State.fresh(len(state.gamma)), name)})


@composite
def batches(reader: ByteReader, entry: Entry) -> Float32:
    """More batches of the shape of an entry, (N, D)."""
    return draw_columns(reader, entry).x


@composite
def streams(
    reader: ByteReader,
    palette: Palette,
    *,
    min_size: int = 2,
    max_size: int = 5,
    fresh_from: int = FRESH_FROM,
) -> Stream:
    """Streams of batches of one shape, of which one in four repeats the one before.

    Repetition reveals a layer that skips the update for a repeated batch.

    Args:
        reader: The bytes.
        palette: The entries to draw from.
        min_size: The least number of batches, the case's own included.
        max_size: The largest number of batches.
        fresh_from: See ``cases``.
    """
    case = reader.draw(cases(palette, fresh_from=fresh_from))
    entry = entry_of(case)
    following: list[Float32] = []
    for _ in range(reader.draw(integers(min_size - 1, max_size - 1))):
        previous = following[-1] if following else case.x
        repeat = reader.draw(integers(0, 3)) == 3
        following.append(previous if repeat else reader.draw(batches(entry)))
    return Stream(case, following)


@composite
def mixed_streams(reader: ByteReader, palette: Palette) -> Stream:
    """Streams of batches of different sizes, all of one width.

    Sizes come from the palette as well, so nothing new is compiled.
    """
    case = reader.draw(cases(palette))
    own = entry_of(case)
    sizes = sorted({entry.rows for entry in palette if entry.features == own.features})
    following: list[Float32] = []
    for _ in range(reader.draw(integers(1, 3))):
        rows = sizes[reader.draw(integers(0, len(sizes) - 1))]
        following.append(reader.draw(batches(replace(own, rows=rows))))
    return Stream(case, following)


@composite
def states(reader: ByteReader, features: int, eps: float) -> State:
    """More states of D features.

    Args:
        reader: The bytes.
        features: D.
        eps: The layer's ε, which scales some of the features.
    """
    return draw_columns(reader, Entry(1, features, 0.0, eps)).state


@composite
def rewritten_cases(reader: ByteReader, palette: Palette) -> Rewritten:
    """Cases with another state of the same width, which in two of three differs in one array only.

    A single array reveals a value that is cached until another array changes.
    """
    case = reader.draw(cases(palette))
    other = reader.draw(states(case.config.features, case.config.eps))
    which = reader.draw(integers(0, len(ARRAYS) + 1))
    if which >= len(ARRAYS):
        return Rewritten(case, other)
    name = ARRAYS[which]
    before = case.state or State.fresh(case.config.features)
    return Rewritten(case, before.replace(**{name: getattr(other, name)}))


@composite
def ensembles(reader: ByteReader, palette: Palette) -> list[Case]:
    """Three cases with one shape and configuration, and different states and batches."""
    first = reader.draw(cases(palette, fresh_from=NEVER_FRESH))
    rest = [reader.draw(cases((entry_of(first),), fresh_from=NEVER_FRESH)) for _ in range(2)]
    return [first, *rest]


def entry_of(case: Case) -> Entry:
    """Return the palette entry with the shape and configuration of a case."""
    rows, features = case.x.shape
    return Entry(rows, features, case.config.momentum, case.config.eps)
