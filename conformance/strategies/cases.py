"""Strategies for cases: plural nouns, one palette, frozen NumPy values.

Every strategy takes the palette as its first argument, because the palette belongs to the run
and not to the property.
"""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from conformance.case import Case, Float32, State
from conformance.strategies.columns import BLOCK, Columns, decode
from conformance.strategies.palette import Entry

Palette = tuple[Entry, ...]


class Stream(NamedTuple):
    """A case and the batches that follow its own, all of one shape."""

    case: Case
    following: list[Float32]


class Rewritten(NamedTuple):
    """A case and the state that replaces its own."""

    case: Case
    other: State


BLOCKS = st.binary(min_size=BLOCK, max_size=BLOCK)
"""What everything is drawn as. All draws have one size because Hypothesis varies a case by
copying one draw over another: with two sizes that would zero the draw, and half of all cases
would be the simplest one."""

_FRESH_FROM = 230
"""One case in ten uses the layer as constructed: first calls are special in faulty layers."""


def choices(low: int, high: int) -> SearchStrategy[int]:
    """Strategy for integers in [low, high], shrinking to low, drawn as bytes.

    ``st.integers`` would now and then return a constant from the user's source code, and the
    same seed would give other cases in another project.
    """
    span = high - low + 1
    return BLOCKS.map(lambda raw: low + int.from_bytes(raw[:4]) % span)


_DRAWN_FEATURES = 16
"""Features that are drawn one by one; wider batches are filled with variations of them."""


def columns_of(draw: DrawFn, entry: Entry) -> Columns:
    """Draw the features of one batch and one state."""
    drawn = [draw(BLOCKS) for _ in range(min(entry.features, _DRAWN_FEATURES))]
    blocks = [_variation(drawn[i % len(drawn)], i // len(drawn)) for i in range(entry.features)]
    return decode(blocks, entry.rows, entry.eps)


def _variation(block: bytes, turn: int) -> bytes:
    return bytes((byte + 37 * turn) % 256 for byte in block) if turn else block


def state_of(columns: Columns) -> State:
    """Return the state that was drawn with a batch."""
    return State(columns.gamma, columns.beta, columns.running_mean, columns.running_var)


@st.composite
def cases(draw: DrawFn, palette: Palette, *, may_be_fresh: bool = True) -> Case:
    """Strategy for a layer in some state and one batch, of a shape from the palette."""
    which, freshness, container, *_ = draw(BLOCKS)
    entry = palette[which % len(palette)]
    columns = columns_of(draw, entry)
    fresh = may_be_fresh and freshness >= _FRESH_FROM
    return Case(
        config=entry.config,
        state=None if fresh else state_of(columns),
        x=columns.x,
        as_jax=container % 2 == 1,
    )


@st.composite
def batches(draw: DrawFn, entry: Entry) -> Float32:
    """Strategy for one more batch of the shape of an entry, (N, D)."""
    return columns_of(draw, entry).x


@st.composite
def streams(draw: DrawFn, palette: Palette, *, min_size: int = 2, max_size: int = 5) -> Stream:
    """Strategy for a case and the batches that follow its own, all of one shape.

    One batch in four repeats the one before: an update skipped for a repeated batch shows.
    """
    case = draw(cases(palette))
    entry = entry_of(case)
    following: list[Float32] = []
    for _ in range(draw(choices(min_size - 1, max_size - 1))):
        previous = following[-1] if following else case.x
        repeat = draw(choices(0, 3)) == 3
        following.append(previous if repeat else draw(batches(entry)))
    return Stream(case, following)


@st.composite
def states(draw: DrawFn, features: int, eps: float) -> State:
    """Strategy for one more state of D features."""
    return state_of(columns_of(draw, Entry(1, features, 0.0, eps)))


@st.composite
def rewritten_cases(draw: DrawFn, palette: Palette) -> Rewritten:
    """Strategy for a case and another state of the same width."""
    case = draw(cases(palette))
    return Rewritten(case, draw(states(case.config.features, case.config.eps)))


@st.composite
def ensembles(draw: DrawFn, palette: Palette, *, size: int = 3) -> list[Case]:
    """Strategy for cases of one shape and configuration, with states and batches of their own."""
    first = draw(cases(palette, may_be_fresh=False))
    rest = [draw(cases((entry_of(first),), may_be_fresh=False)) for _ in range(size - 1)]
    return [first, *rest]


def entry_of(case: Case) -> Entry:
    """Return the palette entry that a case has the shape and configuration of."""
    rows, features = case.x.shape
    return Entry(rows, features, case.config.momentum, case.config.eps)
