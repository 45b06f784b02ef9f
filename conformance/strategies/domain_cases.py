"""Strategies for the extended domain: masks, feature axes, dtypes, and batches in shards.

Each shape compiles one program, so there are few shapes, while values vary freely.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from conformance.numerics.state import Float32
from conformance.strategies.bytestream import ByteReader, composite, integers
from conformance.strategies.case import Case
from conformance.strategies.cotangents import cotangents
from conformance.strategies.palette_cases import Palette, cases
from conformance.strategies.shape_grid import Entry

Mask = npt.NDArray[np.bool_]

MASKED = (
    Entry(2, 1, 0.75, 1e-5),
    Entry(3, 3, 0.9, 1e-3),
    Entry(7, 2, 0.3, 0.1),
    Entry(6, 2, 0.75, 1e-3),
    Entry(6, 2, 0.75, 1e-3),
)
"""For masks; where N = D, a mask of rows could be applied to features unnoticed.

The last is there twice, because masks of more shapes go with it.
"""

POSITIONS = {6: (3, 2)}
"""By number of rows: the shape (examples, positions) in which they may be passed with ``ndim``.

The lengths differ, so a mask (examples,) cannot be taken for one of positions or of features.
"""


class Layout(NamedTuple):
    """A feature axis, and the lengths of the other axes.

    Attributes:
        entry: N, D and the configuration.
        around: The lengths of the other axes, in order; their product is N.
        axis: The feature axis.
    """

    entry: Entry
    around: tuple[int, ...]
    axis: int


def _layout(around: tuple[int, ...], axis: int, entry: Entry) -> Layout:
    return Layout(replace(entry, rows=math.prod(around)), around, axis)


LAYOUTS = (
    _layout((3,), 0, Entry(0, 3, 0.75, 1e-5)),
    _layout((2, 3), -2, Entry(0, 3, 0.9, 1e-3)),
    _layout((2, 3), -1, Entry(0, 2, 0.75, 1e-3)),
    _layout((3, 3), 1, Entry(0, 3, 0.3, 0.1)),
    _layout((2, 3, 2), 1, Entry(0, 2, 0.0, 1e-6)),
    _layout((2, 2, 3), -1, Entry(0, 2, 0.9, 1e-3)),
    _layout((3, 1, 1), -1, Entry(0, 2, 0.3, 1e-5)),
    _layout((2, 2, 1, 2), 1, Entry(0, 2, 0.75, 1e-3)),
)
"""Features first, in the middle and last, counted from both ends; equal and different lengths.

Every rank up to that of volumes, (N, D, depth, height, width); also a single position.
"""


class Cut(NamedTuple):
    """A batch shape, and how many shards it is split into; see ``adapters.wide.Lanes``."""

    entry: Entry
    shards: int
    on_devices: bool


CUTS = (
    Cut(Entry(2, 2, 0.75, 1e-5), 2, on_devices=False),
    Cut(Entry(12, 1, 0.9, 1e-3), 4, on_devices=False),
    Cut(Entry(6, 2, 0.3, 0.1), 2, on_devices=True),
    Cut(Entry(8, 3, 0.0, 1e-6), 4, on_devices=True),
)
"""Splits of a batch; a shard of a single row has variance 0."""


class Spread(NamedTuple):
    """A case (N, D) and how its rows are split.

    Attributes:
        case: The case.
        kept: Which rows count, (N,).
        w: The cotangent of y, (N, D); 0 where a row does not count.
        shards: The number of shards.
        on_devices: Whether shards are mapped over devices; see ``Lanes``.
    """

    case: Case
    kept: Mask
    w: Float32
    shards: int
    on_devices: bool


class Folded(NamedTuple):
    """A case and a cotangent w of y, each (N, D), and the layout of both: see ``Layout``."""

    case: Case
    w: Float32
    around: tuple[int, ...]
    axis: int


class Masked(NamedTuple):
    """A case (N, D) and which of its rows count.

    Attributes:
        case: The case.
        kept: Which rows count, (N,).
        w: The cotangent of y, (N, D); 0 where a row does not count.
        by_element: Whether a mask that may have any shape that broadcasts is passed as (N, D).
        around: The lengths of the axes over which the N rows are spread with ``ndim``.
        alike: Rows that count or not together, so that a mask need not have their axis:
            "positions", those of one example; "examples", those of one position; or none.
    """

    case: Case
    kept: Mask
    w: Float32
    by_element: bool
    around: tuple[int, ...] = ()
    alike: str = ""


_FILLERS = (None, 0.0, 1e4, -3e4, 1.0)
_SPECIAL = (np.nan, np.inf, -np.inf, 1e30, -1e30)
"""Values of padding: uninitialized memory may be any number, or not a number."""


@composite
def masks(reader: ByteReader, rows: int, *, empty: bool = False) -> Mask:
    """Masks of N rows, (N,): usually some rows count, sometimes all or a single one.

    Args:
        reader: The bytes.
        rows: N.
        empty: Whether no row may count.
    """
    raw = np.frombuffer(reader.take(rows), np.uint8)
    single = reader.draw(integers(0, 7)) == 7
    kept = np.arange(rows) == raw[0] % rows if single else raw < 150
    if not kept.any() and not empty:
        kept = np.arange(rows) == raw[0] % rows
    return kept


@composite
def masked_cases(reader: ByteReader, palette: Palette, *, special: bool = False) -> Masked:
    """Cases with a mask.

    Args:
        reader: The bytes.
        palette: The entries to draw from.
        special: Whether masked rows contain NaN, infinities and huge numbers.
    """
    case = reader.draw(cases(palette))
    rows, features = case.x.shape
    around = POSITIONS.get(rows, (rows,))
    kept = reader.draw(masks(rows))
    choice = reader.draw(integers(0, 2 if len(around) > 1 else 9))
    alike = ALIKE[choice] if choice < len(ALIKE) else ""
    kept = _spread_alike(kept, around, alike)
    fillers = _SPECIAL if special else _FILLERS
    filler = fillers[reader.draw(integers(0, len(fillers) - 1))]
    if filler is not None:
        case = case.with_x(np.where(kept[:, None], case.x, np.float32(filler)))
    w = np.where(kept[:, None], reader.draw(cotangents(rows, features)), np.float32(0))
    return Masked(case, kept, w, rows > 6, around, alike)


ALIKE = ("", "positions", "examples")


def _spread_alike(kept: Mask, around: tuple[int, ...], alike: str) -> Mask:
    """Return a mask (N,) with the rows alike that are to be, and some row that counts."""
    if not alike:
        return kept
    axes = tuple(range(1, len(around))) if alike == "positions" else (0,)
    together = np.logical_or.reduce(kept.reshape(around), axis=axes, keepdims=True)
    return np.broadcast_to(together, around).reshape(-1)


@composite
def folded_cases(reader: ByteReader, layouts: tuple[Layout, ...]) -> Folded:
    """Cases with the layout in which they are passed."""
    layout = layouts[reader.draw(integers(0, len(layouts) - 1))]
    case = reader.draw(cases((layout.entry,)))
    return Folded(case, reader.draw(cotangents(*case.x.shape)), layout.around, layout.axis)


def fold(rows: npt.NDArray[Any], around: tuple[int, ...], axis: int) -> npt.NDArray[Any]:
    """Return rows (N, D) with N spread over the axes around the feature axis.

    Args:
        rows: The rows, (N, D).
        around: The lengths of the other axes, in order; their product is N.
        axis: The feature axis of the result.

    Returns:
        The same numbers, contiguous, with D on ``axis``.
    """
    return np.ascontiguousarray(np.moveaxis(rows.reshape(*around, -1), -1, axis))


def unfold(x: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """Return a folded array as rows again, (N, D).

    Args:
        x: The array, with D on ``axis``.
        axis: The feature axis.
    """
    moved = np.moveaxis(x, axis, -1)
    return moved.reshape(-1, moved.shape[-1])


@composite
def spread_cases(reader: ByteReader, cuts: tuple[Cut, ...]) -> Spread:
    """Cases that are split into shards, and all of whose rows count."""
    cut = cuts[reader.draw(integers(0, len(cuts) - 1))]
    case = reader.draw(cases((cut.entry,)))
    w = reader.draw(cotangents(*case.x.shape))
    return Spread(case, np.ones(len(w), bool), w, cut.shards, cut.on_devices)


@composite
def uneven_cases(reader: ByteReader, cuts: tuple[Cut, ...], *, empty: bool = False) -> Spread:
    """Cases that are split into shards, and in which some rows of every shard count.

    Args:
        reader: The bytes.
        cuts: The splits to draw from.
        empty: Whether no row of one shard counts.
    """
    drawn = reader.draw(spread_cases(cuts))
    rows = len(drawn.kept)
    shard_size = rows // drawn.shards
    shard, place = np.divmod(np.arange(rows), shard_size)
    kept = reader.draw(masks(rows))
    first = reader.draw(integers(0, rows - 1))
    shard_counts = np.array([(kept & (shard == s)).any() for s in shard])
    kept = kept | (~shard_counts & (place == first % shard_size))
    if empty:
        kept = kept & (shard != first % drawn.shards)
    return drawn._replace(kept=kept, w=np.where(kept[:, None], drawn.w, np.float32(0)))


def select_rows(case: Case, kept: Any) -> Case:
    """Return the case with only the rows that count.

    Args:
        case: The case, whose x is (N, D).
        kept: Which rows count, (N,) of bool, or their indices.
    """
    return case.with_x(case.x[kept])
