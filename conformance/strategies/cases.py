"""Strategies for cases: plural nouns, one palette, frozen NumPy values.

Every strategy takes the palette as its first argument, because the palette belongs to the run
and not to the property.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from conformance.case import Case, Float32, State
from conformance.implementation import Config
from conformance.strategies.columns import BLOCK, Columns, decode
from conformance.strategies.palette import Entry

Palette = tuple[Entry, ...]

_HEADER = st.binary(min_size=6, max_size=6)
_BLOCK = st.binary(min_size=BLOCK, max_size=BLOCK)
_FRESH_FROM = 230
"""One case in ten uses the layer as constructed: first calls are special in faulty layers."""


def choices(low: int, high: int) -> SearchStrategy[int]:
    """Strategy for integers in [low, high], shrinking to low, drawn as bytes.

    ``st.integers`` would now and then return a constant from the user's source code, and the
    same seed would give other cases in another project.
    """
    span = high - low + 1
    return st.binary(min_size=6, max_size=6).map(lambda raw: low + int.from_bytes(raw) % span)


def _columns(draw: DrawFn, entry: Entry) -> Columns:
    return decode([draw(_BLOCK) for _ in range(entry.features)], entry.rows, entry.eps)


def _state(columns: Columns) -> State:
    return State(columns.gamma, columns.beta, columns.running_mean, columns.running_var)


@st.composite
def cases(draw: DrawFn, palette: Palette, *, may_be_fresh: bool = True) -> Case:
    """Strategy for a layer in some state and one batch, of a shape from the palette."""
    which, freshness, container, *_ = draw(_HEADER)
    entry = palette[which % len(palette)]
    columns = _columns(draw, entry)
    fresh = may_be_fresh and freshness >= _FRESH_FROM
    return Case(
        config=entry.config,
        state=None if fresh else _state(columns),
        x=columns.x,
        as_jax=container % 2 == 1,
    )


@st.composite
def batches(draw: DrawFn, entry: Entry) -> Float32:
    """Strategy for one more batch of the shape of an entry, (N, D)."""
    return _columns(draw, entry).x


@st.composite
def streams(draw: DrawFn, palette: Palette, *, min_size: int = 2, max_size: int = 5) -> tuple[
    Case, list[Float32]
]:
    """Strategy for a case and the batches that follow its own, all of one shape.

    One batch in four repeats the one before: an update skipped for a repeated batch shows.
    """
    case = draw(cases(palette))
    entry = _entry_of(case)
    following: list[Float32] = []
    for _ in range(draw(choices(min_size - 1, max_size - 1))):
        previous = following[-1] if following else case.x
        repeat = draw(choices(0, 3)) == 3
        following.append(previous if repeat else draw(batches(entry)))
    return case, following


@st.composite
def states(draw: DrawFn, features: int, eps: float) -> State:
    """Strategy for one more state of D features."""
    return _state(_columns(draw, Entry(1, features, 0.0, eps)))


@st.composite
def cases_and_states(draw: DrawFn, palette: Palette) -> tuple[Case, State]:
    """Strategy for a case and another state of the same width."""
    case = draw(cases(palette))
    return case, draw(states(case.config.features, case.config.eps))


@st.composite
def dyadic_cases(draw: DrawFn, palette: Palette) -> tuple[Case, Float32]:
    """Strategy for a case on the grid of 1/64 below 64, and integer shifts (D,) up to 8192.

    x and x + shift are then both exact in float32.
    """
    case = draw(cases(palette))
    grid = np.clip(np.round(case.x * 64), -4096, 4096) / 64
    shift = [draw(choices(0, 13)) for _ in range(case.config.features)]
    sizes = np.array([1, 0, -3, 7, -20, 50, 100, -100, 300, -512, 1000, 2048, -8192, 8192])
    return case.with_x(grid), sizes[shift].astype(np.float32)


@st.composite
def scaled_cases(draw: DrawFn, palette: Palette) -> tuple[Case, float]:
    """Strategy for a case and a power of two by which x can be scaled exactly."""
    case = draw(cases(palette))
    return case, float(2.0 ** (1, -1, 3, -4)[draw(choices(0, 3))])


@st.composite
def permuted_cases(draw: DrawFn, palette: Palette) -> tuple[Case, list[int], list[int]]:
    """Strategy for a case with an order of its rows and an order of its features."""
    case = draw(cases(palette, may_be_fresh=False))
    rows, features = case.x.shape
    return case, draw(orders(rows)), draw(orders(features))


@st.composite
def orders(draw: DrawFn, size: int) -> list[int]:
    """Strategy for permutations of range(size), shrinking to reversal."""
    keys = draw(st.binary(min_size=size, max_size=size))
    return sorted(range(size), key=lambda i: (keys[i], -i))


@st.composite
def poisoned_cases(draw: DrawFn, palette: Palette) -> tuple[Case, int, Float32]:
    """Strategy for a case of two or more features, one of them, and what replaces it, (N,).

    The replacement is another feature, or the same one with a NaN or an infinity in a row.
    """
    case = draw(cases(tuple(entry for entry in palette if entry.features > 1)))
    rows, features = case.x.shape
    column = draw(choices(0, features - 1))
    row = draw(choices(0, rows - 1))
    poison = (None, np.nan, np.inf, -np.inf)[draw(choices(0, 3))]
    if poison is None:
        other = draw(batches(Entry(rows, 1, 0.0, case.config.eps)))[:, 0]
    else:
        other = case.x[:, column].copy()
        other[row] = poison
    return case, column, other


@st.composite
def free_configs(draw: DrawFn, palette: Palette) -> Case:
    """Strategy for cases with any momentum in [0, 1] and any eps in [1e-8, 10].

    One shape only: what varies here is what a compiling layer pays for.
    """
    first = draw(choices(0, 10_000)) / 10_000
    momentum = (first, 0.0, 1.0, 0.995, 0.001)[min(draw(choices(0, 7)), 4)]
    eps = float(f"{10 ** (1 - draw(choices(0, 900)) / 100):.3g}")
    entry = Entry(3, 2, momentum, eps)
    columns = _columns(draw, entry)
    ratio = (1.0, 0.5, 3.0)[draw(choices(0, 2))]
    near = np.float32(np.sqrt(eps) * ratio)
    x = np.stack([columns.x[:, 0], near * np.array([0, 1, 3], np.float32)], axis=1)
    state = _state(columns)
    running_var = state.running_var.copy()
    running_var[0] = np.float32(eps)
    return Case(
        config=Config(features=2, momentum=momentum, eps=eps),
        state=state.replace(running_var=running_var),
        x=x.astype(np.float32),
    )


def cases_with(palette: Palette, *, rows: int) -> SearchStrategy[Case]:
    """Strategy for cases with a given number of rows."""
    return cases(tuple(entry for entry in palette if entry.rows == rows))


def cases_at_momentum(palette: Palette, momentum: float) -> SearchStrategy[Case]:
    """Strategy for cases with a given momentum; few shapes, because configurations compile."""
    few = tuple(entry for entry in palette[::5])
    return cases(tuple(replace(entry, momentum=momentum) for entry in few))


def _entry_of(case: Case) -> Entry:
    rows, features = case.x.shape
    return Entry(rows, features, case.config.momentum, case.config.eps)
