"""Cases, decoded from bytes: plural nouns, one palette, frozen NumPy values.

Every decoder takes the palette as its first argument, because the palette belongs to the run and
not to the property.
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
    """A case and the batches that follow its own, all of one shape."""

    case: Case
    following: list[Float32]


class Rewritten(NamedTuple):
    """A case and the state that replaces its own."""

    case: Case
    other: State


_FRESH_FROM = 230
"""One case in ten uses the layer as constructed: first calls are special in faulty layers."""

OFTEN_FRESH, SOMETIMES_FRESH = 128, 192
"""Half or a quarter of the layers as constructed: where the first updates are looked at."""

NEVER_FRESH = 256
"""Every layer in a state of its own."""

_PLAIN_FROM = 192
"""In one case in four one of the four arrays is as constructed, and the others are not: what is
left out where γ is 1, β or the mean is 0, or the variance 1 shows in the others."""


def draw_columns(reader: ByteReader, entry: Entry) -> Columns:
    """Read the features of one batch and one state."""
    blocks = [reader.take(BLOCK) for _ in range(entry.features)]
    return decode_columns(blocks, entry.rows, entry.eps)


def state_of(columns: Columns) -> State:
    """Return the state that was drawn with a batch."""
    return State(columns.gamma, columns.beta, columns.running_mean, columns.running_var)


@composite
def cases(reader: ByteReader, palette: Palette, *, fresh_from: int = _FRESH_FROM) -> Case:
    """A layer in some state and one batch, of a shape from the palette.

    ``fresh_from``: the byte, of 256, from which on the layer is used as constructed.
    """
    which, freshness, container, plain, *_ = reader.take(6)
    entry = palette[which % len(palette)]
    columns = draw_columns(reader, entry)
    fresh = freshness >= fresh_from
    state = state_of(columns)
    if plain >= _PLAIN_FROM:
        name = ARRAYS[plain % len(ARRAYS)]
        state = state.replace(**{name: getattr(State.fresh(entry.features), name)})
    return Case(
        config=entry.config,
        state=None if fresh else state,
        x=columns.x,
        as_jax=container % 2 == 1,
    )


@composite
def batches(reader: ByteReader, entry: Entry) -> Float32:
    """One more batch of the shape of an entry, (N, D)."""
    return draw_columns(reader, entry).x


@composite
def streams(
    reader: ByteReader,
    palette: Palette,
    *,
    min_size: int = 2,
    max_size: int = 5,
    fresh_from: int = _FRESH_FROM,
) -> Stream:
    """A case and the batches that follow its own, all of one shape.

    One batch in four repeats the one before: an update skipped for a repeated batch shows.
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
    """A case and batches of other sizes that come before it, all of one width.

    Sizes come from the palette, too, so nothing new is compiled.
    """
    case = reader.draw(cases(palette))
    here = entry_of(case)
    sizes = sorted({entry.rows for entry in palette if entry.features == here.features})
    following: list[Float32] = []
    for _ in range(reader.draw(integers(1, 3))):
        rows = sizes[reader.draw(integers(0, len(sizes) - 1))]
        following.append(reader.draw(batches(replace(here, rows=rows))))
    return Stream(case, following)


@composite
def states(reader: ByteReader, features: int, eps: float) -> State:
    """One more state of D features."""
    return state_of(draw_columns(reader, Entry(1, features, 0.0, eps)))


@composite
def rewritten_cases(reader: ByteReader, palette: Palette) -> Rewritten:
    """A case and another state of the same width.

    In two cases of three a single array differs: what is kept for as long as another array has
    not changed shows only then.
    """
    case = reader.draw(cases(palette))
    other = reader.draw(states(case.config.features, case.config.eps))
    alone = reader.draw(integers(0, len(ARRAYS) + 1))
    if alone >= len(ARRAYS):
        return Rewritten(case, other)
    name = ARRAYS[alone]
    before = case.state or State.fresh(case.config.features)
    return Rewritten(case, before.replace(**{name: getattr(other, name)}))


@composite
def ensembles(reader: ByteReader, palette: Palette, *, size: int = 3) -> list[Case]:
    """Cases of one shape and configuration, with states and batches of their own."""
    first = reader.draw(cases(palette, fresh_from=NEVER_FRESH))
    rest = [reader.draw(cases((entry_of(first),), fresh_from=NEVER_FRESH)) for _ in range(size - 1)]
    return [first, *rest]


def entry_of(case: Case) -> Entry:
    """Return the palette entry that a case has the shape and configuration of."""
    rows, features = case.x.shape
    return Entry(rows, features, case.config.momentum, case.config.eps)
