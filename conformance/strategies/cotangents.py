"""Strategies for cotangents of y, and for the cases through which they are pulled back.

A cotangent that is constant over the batch, the gradient of sum(y), is pulled back to zero even
if the terms through the statistics are wrong. So cotangents vary over the batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from conformance.numerics.state import Float32, State
from conformance.strategies.bytestream import ByteReader, composite, integers
from conformance.strategies.case import Case
from conformance.strategies.columns import BLOCK
from conformance.strategies.palette_cases import Palette, batches, cases, entry_of, rewritten_cases
from conformance.strategies.shape_grid import COMPILED, Entry

TAIL = Entry(129, 1, 0.75, 1e-2)

GRADIENT = (*COMPILED, Entry(1, 2, 0.25, 1e-4), TAIL, TAIL)
"""For gradients, compiled in both modes; among them a single row, and a tail after 32, 64 and 128.

The tail is listed twice, because a mistake in one row of 129 shows only in some cases.
"""

SECOND = COMPILED[1:3]
"""For second derivatives, whose programs are the largest; ε is not so small that r⁵ overflows."""

STEPS = COMPILED[1:3]
"""For training steps under transforms of NNX, whose tracing is the most expensive."""

EAGER = COMPILED[:2]
"""For gradients without jit, where each operation compiles for each shape."""


class Pulled(NamedTuple):
    """A case and a cotangent of its output.

    Attributes:
        case: The case, whose x is (N, D).
        w: The cotangent of y, (N, D).
        eager: Whether the derivative is taken without jit.
    """

    case: Case
    w: Float32
    eager: bool


class PulledTwice(NamedTuple):
    """A case, two cotangents of its output, (N, D), and a power of two, of either sign."""

    case: Case
    w: Float32
    other: Float32
    factor: float


class Interleaved(NamedTuple):
    """A case, state, (D,), and batch, (N, D), of a second call, and two cotangents, (N, D)."""

    case: Case
    state: State
    x: Float32
    w: Float32
    other: Float32


class Tangent(NamedTuple):
    """Tangents of γ and β, (D,), and of x, (N, D)."""

    gamma: Float32
    beta: Float32
    x: Float32


class Moved(NamedTuple):
    """A case, and tangents along which its output is differentiated."""

    case: Case
    along: list[Tangent]


class Twice(NamedTuple):
    """A case, a cotangent w of its output and a cotangent t of the gradient of x, (N, D)."""

    case: Case
    w: Float32
    t: Float32


@composite
def cotangents(reader: ByteReader, rows: int, features: int) -> Float32:
    """Cotangents (N, D): multiples of 2⁻¹³ up to about 4, or 2⁸ times as much.

    Sums of two are exact in float32, and most values are not exact in 16 bits. A column has values
    of both signs, on a coarse or a fine grid; or values around 3; or a single non-zero row.

    Args:
        reader: The bytes.
        rows: N.
        features: D.
    """
    raw = np.frombuffer(reader.take(BLOCK * features), np.uint8).reshape(features, BLOCK)
    raw = raw.astype(np.int64)
    row = np.arange(rows)
    cycle = 1 + 2 * (row // BLOCK)
    high, low = raw[:, row % BLOCK] * cycle % 256, raw[:, (row + 11) % BLOCK] * cycle % 256
    kind = raw.sum(axis=1)[:, None]
    coarse = ((high + 128) % 256 - 128) / 2**5  # 0 stays 0
    fine = coarse + low / 2**13
    single = np.where(row == kind // 8 % rows, 1 + fine / 8, 0)
    form = kind % 8
    pattern = np.select([form < 2, form < 5, form == 5], [coarse, fine, 3 + fine / 8], single)
    scale = np.where(kind % 5 == 4, 2.0**8, 1.0)
    return np.ascontiguousarray((pattern * scale).T, np.float32)


@composite
def pulled_cases(reader: ByteReader, compiled: Palette, eager: Palette = ()) -> Pulled:
    """Cases with a cotangent of the output; one in six is eager, if there are shapes for it.

    Args:
        reader: The bytes.
        compiled: The palette of compiled cases.
        eager: The palette of eager cases; empty for none.
    """
    is_eager = reader.draw(integers(0, 5)) == 5 and bool(eager)
    case = reader.draw(cases(eager if is_eager else compiled))
    return Pulled(case, reader.draw(cotangents(*case.x.shape)), is_eager)


@composite
def pulled_twice(reader: ByteReader, palette: Palette) -> PulledTwice:
    """Cases with two cotangents and a power of two; one in four has constant features."""
    case = reader.draw(cases(palette))
    if reader.draw(integers(0, 3)) == 3:
        case = case.with_x(np.broadcast_to(case.x[:1], case.x.shape))
    w, other = (reader.draw(cotangents(*case.x.shape)) for _ in range(2))
    factor = (-1.0, 2.0**20, -(2.0**-20), 2.0**10, 2.0**-20)[reader.draw(integers(0, 4))]
    return PulledTwice(case, w, other, factor)


@composite
def interleaved_cases(reader: ByteReader, palette: Palette) -> Interleaved:
    """Pairs of calls of one layer on one shape, with different states, batches and cotangents."""
    case, state = reader.draw(rewritten_cases(palette))
    x = reader.draw(batches(entry_of(case)))
    w, other = (reader.draw(cotangents(*case.x.shape)) for _ in range(2))
    return Interleaved(case, state, x, w, other)


@composite
def moved_cases(reader: ByteReader, palette: Palette, count: int) -> Moved:
    """Cases with a number of tangents; those of γ and β are multiples of 1/4 up to 2.

    In one case of three a single one of γ, β and x moves.
    """
    case = reader.draw(cases(palette))
    drawn = [reader.draw(_tangents(*case.x.shape)) for _ in range(count)]
    return Moved(case, drawn)


@composite
def _tangents(reader: ByteReader, rows: int, features: int) -> Tangent:
    raw = np.frombuffer(reader.take(2 * features), np.uint8).reshape(2, features)
    parts = (*(((raw % 17).astype(np.float32) - 8) / 4), reader.draw(cotangents(rows, features)))
    alone = reader.draw(integers(0, 8))
    return Tangent(*(p if alone > 2 or i == alone else 0 * p for i, p in enumerate(parts)))


@composite
def twice_pulled_cases(reader: ByteReader, palette: Palette) -> Twice:
    """Cases with a cotangent of the output, and one of the gradient of x."""
    case = reader.draw(cases(palette))
    w, t = (reader.draw(cotangents(*case.x.shape)) for _ in range(2))
    return Twice(case, w, t)
