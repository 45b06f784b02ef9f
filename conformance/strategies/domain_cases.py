"""Cases of a wider domain: masks, axes, dtypes, and batches that are spread over lanes.

Each shape compiles one program, so there are few of them, and values vary.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.numerics.state import Float32
from conformance.strategies.bytestream import ByteReader, composite, integers
from conformance.strategies.case import Case
from conformance.strategies.cases import Palette, cases
from conformance.strategies.cotangents import cotangents
from conformance.strategies.shape_grid import Entry

Mask = npt.NDArray[np.bool_]

MASKED = (
    Entry(2, 1, 0.75, 1e-5),
    Entry(3, 3, 0.9, 1e-3),
    Entry(7, 2, 0.3, 0.1),
    Entry(6, 2, 0.75, 1e-3),
)
"""For masks; N = D is where a mask of rows passes for one of features."""

POSITIONS = {6: (3, 2)}
"""By number of rows: as how many examples and positions they are handed over, if they may be."""


class Layout(NamedTuple):
    """A feature axis, and the lengths of the axes around it in their order."""

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
"""Features first, in the middle and last, counted from both ends; axes of one length, and not.

Of every rank up to that of volumes, (N, D, depth, height, width); positions may be a single one.
"""


PRECISE = (
    Entry(3, 2, 0.75, 1e-5),
    Entry(8, 2, 0.9, 1e-3),
    Entry(2049, 1, 0.3, 1e-5),
)
"""For 16 bits; in none of the two dtypes is 2049 a number."""

DOUBLE = (Entry(2, 1, 0.75, 1e-5), Entry(7, 2, 0.3, 1e-3), Entry(5, 3, 0.9, 1e-7))
"""For float64."""


class Cut(NamedTuple):
    """A batch shape, and how it is cut; see ``conformance.adapters.wide.Lanes``."""

    entry: Entry
    shards: int
    on_devices: bool


CUTS = (
    Cut(Entry(2, 2, 0.75, 1e-5), 2, on_devices=False),
    Cut(Entry(12, 1, 0.9, 1e-3), 4, on_devices=False),
    Cut(Entry(6, 2, 0.3, 0.1), 2, on_devices=True),
    Cut(Entry(8, 3, 0.0, 1e-6), 4, on_devices=True),
)
"""A single row per shard has no variance of its own."""


class Spread(NamedTuple):
    """A case (N, D), which rows count, a cotangent w of y, and how the rows are spread.

    w is 0 where a row does not count.
    """

    case: Case
    kept: Mask
    w: Float32
    shards: int
    on_devices: bool


class Half(NamedTuple):
    """A case whose x is exact in the 16-bit dtype, and which declared output to ask for."""

    case: Case
    dtype: str
    output: int


class PulledHalf(NamedTuple):
    """A case whose x is exact in the 16-bit dtype, with a cotangent w of y; see ``Half``."""

    case: Case
    dtype: str
    output: int
    w: Float32


class Double(NamedTuple):
    """A case, and an x in float64 that stands for the one it has."""

    case: Case
    x: npt.NDArray[np.float64]


class Folded(NamedTuple):
    """A case (N, D) with a cotangent w of y, and how both are laid out: see ``Layout``."""

    case: Case
    w: Float32
    around: tuple[int, ...]
    axis: int


class Masked(NamedTuple):
    """A case, which of its rows count, and a cotangent w of y that is 0 where they do not.

    ``by_element``: a mask that may have any shape that broadcasts is given as (N, D).
    ``around``: the lengths of the axes that the N rows fill, where more than one may be given.
    """

    case: Case
    kept: Mask
    w: Float32
    by_element: bool
    around: tuple[int, ...] = ()


_FILLERS = (None, 0.0, 1e4, -3e4, 1.0)
_SPECIAL = (np.nan, np.inf, -np.inf, 1e30, -1e30)
"""What stands in padding: uninitialised memory is any number, or none."""


@composite
def masks(reader: ByteReader, rows: int, *, empty: bool = False) -> Mask:
    """Which of N rows count: as a rule some, now and then all or a single one."""
    raw = np.frombuffer(reader.take(rows), np.uint8)
    single = reader.draw(integers(0, 7)) == 7
    kept = np.arange(rows) == raw[0] % rows if single else raw < 150
    if not kept.any() and not empty:
        kept = np.arange(rows) == raw[0] % rows
    return kept


@composite
def masked_cases(reader: ByteReader, palette: Palette, *, special: bool = False) -> Masked:
    """A case with a mask; what stands in masked rows is arbitrary, or NaN and the like."""
    case = reader.draw(cases(palette))
    rows, features = case.x.shape
    kept = reader.draw(masks(rows))
    fillers = _SPECIAL if special else _FILLERS
    filler = fillers[reader.draw(integers(0, len(fillers) - 1))]
    if filler is not None:
        case = case.with_x(np.where(kept[:, None], case.x, np.float32(filler)))
    w = np.where(kept[:, None], reader.draw(cotangents(rows, features)), np.float32(0))
    return Masked(case, kept, w, rows > 6, POSITIONS.get(rows, (rows,)))


@composite
def folded_cases(reader: ByteReader, layouts: tuple[Layout, ...]) -> Folded:
    """A case and the layout in which it is handed over."""
    layout = layouts[reader.draw(integers(0, len(layouts) - 1))]
    case = reader.draw(cases((layout.entry,)))
    return Folded(case, reader.draw(cotangents(*case.x.shape)), layout.around, layout.axis)


def fold(rows: npt.NDArray[Any], around: tuple[int, ...], axis: int) -> npt.NDArray[Any]:
    """Return rows (N, D) with N spread over the axes around the feature axis."""
    return np.ascontiguousarray(np.moveaxis(rows.reshape(*around, -1), -1, axis))


def unfold(x: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """Return what was folded as rows again."""
    moved = np.moveaxis(x, axis, -1)
    return moved.reshape(-1, moved.shape[-1])


@composite
def spread_cases(reader: ByteReader, cuts: tuple[Cut, ...]) -> Spread:
    """A case that is spread, and all of whose rows count."""
    cut = cuts[reader.draw(integers(0, len(cuts) - 1))]
    case = reader.draw(cases((cut.entry,)))
    w = reader.draw(cotangents(*case.x.shape))
    return Spread(case, np.ones(len(w), bool), w, cut.shards, cut.on_devices)


@composite
def uneven_cases(reader: ByteReader, cuts: tuple[Cut, ...], *, empty: bool = False) -> Spread:
    """A case of which some rows count: some of every shard, or none of one shard."""
    drawn = reader.draw(spread_cases(cuts))
    rows = len(drawn.kept)
    place, shard = (
        np.arange(rows) % (rows // drawn.shards),
        np.arange(rows) // (rows // drawn.shards),
    )
    kept = reader.draw(masks(rows))
    first = reader.draw(integers(0, rows - 1))
    some = np.array([(kept & (shard == s)).any() for s in shard])
    kept = kept | (~some & (place == first % (rows // drawn.shards)))
    if empty:
        kept = kept & (shard != first % drawn.shards)
    return drawn._replace(kept=kept, w=np.where(kept[:, None], drawn.w, np.float32(0)))


_LARGEST, _SMALLEST = 2.0**14, 2.0**-4
_SMALLEST_NORMAL = 2.0**-14


@composite
def half_cases(reader: ByteReader, palette: Palette) -> Half:
    """A case in bfloat16 or float16; for float16 its features are scaled by powers of two."""
    case = reader.draw(cases(palette))
    dtype = ("bfloat16", "float16")[reader.draw(integers(0, 1))]
    x = case.x.astype(np.float64)
    if dtype == "float16":
        size = np.maximum(np.abs(x).max(axis=0), _SMALLEST_NORMAL)
        x = x * 2.0 ** np.floor(np.log2(np.clip(size, _SMALLEST, _LARGEST) / size))
        x = np.where(np.abs(x) < _SMALLEST_NORMAL, 0, x)
    return Half(case.with_x(round_to(x, dtype)), dtype, reader.draw(integers(0, 3)))


@composite
def pulled_half_cases(reader: ByteReader, palette: Palette) -> PulledHalf:
    """A case in bfloat16 or float16 with a cotangent of its output."""
    half = reader.draw(half_cases(palette))
    return PulledHalf(*half, reader.draw(cotangents(*half.case.x.shape)))


def round_to(x: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """Return x rounded to a 16-bit dtype, as float32."""
    narrow = np.float16 if dtype == "float16" else ml_dtypes.bfloat16
    return x.astype(narrow).astype(np.float32)


@composite
def double_cases(reader: ByteReader, palette: Palette) -> Double:
    """A case whose x has 53 bits; one in four has those of float32, constants among them."""
    case = reader.draw(cases(palette))
    exact = reader.draw(integers(0, 3)) == 0
    raw = np.frombuffer(reader.take(case.x.size), np.uint8).reshape(case.x.shape)
    digits = 0 if exact else (raw - 127.5) * 2.0**-40
    return Double(case, case.x.astype(np.float64) * (1 + digits))


def select_rows(case: Case, kept: Any) -> Case:
    """Return the case of the rows that count alone."""
    return case.with_x(case.x[kept])
