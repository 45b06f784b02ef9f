"""Strategies for inputs in 16 bits and in float64.

Each shape compiles one program, so there are few shapes, while values vary freely.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.numerics.state import Float32
from conformance.strategies.bytestream import ByteReader, composite, integers
from conformance.strategies.case import Case
from conformance.strategies.cotangents import cotangents
from conformance.strategies.palette_cases import Palette, cases
from conformance.strategies.shape_grid import Entry

PRECISE = (Entry(3, 2, 0.75, 1e-5), Entry(8, 2, 0.9, 1e-3), Entry(2049, 1, 0.3, 1e-5))
"""For 16 bits; neither of the two dtypes can represent the number of rows 2049."""

DOUBLE = (Entry(2, 1, 0.75, 1e-5), Entry(7, 2, 0.3, 1e-3), Entry(5, 3, 0.9, 1e-7))
"""For float64."""


class Half(NamedTuple):
    """A case whose x is exact in a 16-bit dtype.

    Attributes:
        case: The case, with x in float32.
        dtype: The 16-bit dtype.
        output: Selects one of the declared precisions for that dtype.
    """

    case: Case
    dtype: str
    output: int


class PulledHalf(NamedTuple):
    """The fields of ``Half``, and a cotangent w of y, (N, D)."""

    case: Case
    dtype: str
    output: int
    w: Float32


class Double(NamedTuple):
    """A case, and an x in float64, (N, D), that replaces the case's."""

    case: Case
    x: npt.NDArray[np.float64]


_LARGEST, _SMALLEST = 2.0**14, 2.0**-4
_SMALLEST_NORMAL = 2.0**-14


@composite
def half_cases(reader: ByteReader, palette: Palette) -> Half:
    """Cases in bfloat16 or float16; for float16, features are scaled by powers of two to fit."""
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
    """Cases in bfloat16 or float16 with a cotangent of the output."""
    half = reader.draw(half_cases(palette))
    return PulledHalf(*half, reader.draw(cotangents(*half.case.x.shape)))


def round_to(x: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """Round to a 16-bit dtype.

    Args:
        x: Numbers, of any shape.
        dtype: ``bfloat16`` or ``float16``.

    Returns:
        The rounded numbers in float32, in the same shape.
    """
    narrow = np.float16 if dtype == "float16" else ml_dtypes.bfloat16
    return x.astype(narrow).astype(np.float32)


@composite
def double_cases(reader: ByteReader, palette: Palette) -> Double:
    """Cases whose x has 53 bits; one in four has values of float32, which may be constant."""
    case = reader.draw(cases(palette))
    exact = reader.draw(integers(0, 3)) == 0
    raw = np.frombuffer(reader.take(case.x.size), np.uint8).reshape(case.x.shape)
    digits = 0 if exact else (raw - 127.5) * 2.0**-40
    return Double(case, case.x.astype(np.float64) * (1 + digits))
