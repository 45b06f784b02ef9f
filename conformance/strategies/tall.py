"""Batches of many rows, which are described by a few numbers.

From these the judge and a script compute the batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from conformance.adapters.protocols import Config
from conformance.numerics.bounds.exact_sums import FLAT, LATE, OFFSET, PAIRED
from conformance.numerics.sources import formula
from conformance.numerics.state import Float32, State
from conformance.strategies.bytestream import ByteReader, composite, integers
from conformance.strategies.case import Case
from conformance.strategies.exact_columns import integer_column, scramble
from conformance.strategies.shape_grid import Entry

KINDS = (FLAT, LATE, OFFSET, PAIRED)
"""The kinds of column, in the order in which they take turns."""

LEAST_ROWS = 8


class Tall(NamedTuple):
    """A batch of many rows by its description.

    Attributes:
        config: The constructor arguments.
        state: The state before the call, four arrays of (D,).
        rows: N.
        columns: For each feature its kind, a seed, and the exponent of its unit, (D, 3) integers.
    """

    config: Config
    state: State
    rows: int
    columns: npt.NDArray[np.int64]

    @property
    def case(self) -> Case:
        """The case, with the batch itself."""
        return Case(self.config, self.state, tall_batch(self.columns, self.rows), as_jax=True)


class Sparse(NamedTuple):
    """A batch of many rows, and a cotangent that is 0 but in a few of them.

    Attributes:
        tall: The batch.
        where: The rows in which the cotangent is not 0, in order, (M,) integers.
        values: Its values there, (M, D).
    """

    tall: Tall
    where: npt.NDArray[np.int64]
    values: Float32

    @property
    def w(self) -> Float32:
        """The cotangent of y, (N, D)."""
        spread: Float32 = scatter(self.values, self.where, self.tall.rows)
        return spread


@formula
def tall_batch(columns: npt.NDArray[np.int64], rows: int) -> Float32:
    """Return the batch of a description: rows, and for each feature kind, seed and exponent."""
    x = np.empty((rows, len(columns)), np.float32)
    for place, (kind, seed, exponent) in enumerate(np.asarray(columns).tolist()):
        x[:, place] = np.ldexp(integer_column(kind, seed, rows).astype(np.float32), exponent)
    return x


@formula
def scatter(values: Float32, where: npt.NDArray[np.int64], rows: int) -> Float32:
    """Return an array of rows with the given values in some of them, and 0 in the others."""
    spread = np.zeros((rows, values.shape[1]), np.float32)
    spread[np.asarray(where)] = np.asarray(values)
    return spread


_GAMMA = np.array([1, -1, 2, 0.5, -2.5, 1.25, 0.7, -0.3])
_BETA = np.array([0, 1, -1, 0.5, 2, -3, 0.25, -0.1])
_MEAN = np.array([0, 1, -1, 0.5, -0.25, 2])
_VAR = np.array([1, 2, 0.5, 4, 0.25, 3])
_EXPONENTS = (0, 1, -1, -3, 2)


@composite
def tall_cases(reader: ByteReader, palette: tuple[Entry, ...]) -> Tall:
    """Batches of a size from the palette; the kinds of column take turns.

    Fewer than three columns start with a drawn kind.
    """
    entry = palette[reader.draw(integers(0, len(palette) - 1))]
    features = entry.features
    first = reader.draw(integers(0, len(KINDS) - 1)) if features < 3 else 0
    seeds = [reader.draw(integers(0, 2**16 - 1)) for _ in range(features)]
    exponents = [_EXPONENTS[reader.draw(integers(0, 4))] for _ in range(features)]
    columns = [[KINDS[(first + d) % 4], seeds[d], exponents[d]] for d in range(features)]
    unit = 2.0 ** np.array(exponents)
    gamma, beta, mean, var = (
        table[[reader.draw(integers(0, len(table) - 1)) for _ in range(features)]]
        for table in (_GAMMA, _BETA, _MEAN, _VAR)
    )
    arrays = (gamma, beta, mean * unit, var * unit**2)
    state = State(*(array.astype(np.float32) for array in arrays))
    rows = max(entry.rows, LEAST_ROWS)
    return Tall(entry.config, state, rows, np.array(columns, np.int64))


@composite
def sparse_cases(reader: ByteReader, palette: tuple[Entry, ...]) -> Sparse:
    """Batches with a cotangent in up to sixteen rows, the first and the last ones among them."""
    tall = reader.draw(tall_cases(palette))
    rows = tall.rows
    inner = [reader.draw(integers(3, rows - 4)) for _ in range(12)]
    where = np.array(sorted({1, 2, *inner, rows - 2, rows - 1}), np.int64)
    features = len(tall.columns)
    raw = np.frombuffer(reader.take(2 * len(where) * features), np.uint8).astype(np.int64)
    sizes = 1 + raw[::2] % 8 + raw[1::2] / 2**8
    values = np.where(raw[::2] >= 160, -sizes, sizes).reshape(len(where), features)
    return Sparse(tall, where, values.astype(np.float32))


class Wide(NamedTuple):
    """A batch of many features by its description; γ = 1, β = 0 and the state of a fresh layer.

    Attributes:
        config: The constructor arguments, whose number of features is D.
        rows: N.
        seed: What chooses the values, (1,).
    """

    config: Config
    rows: int
    seed: npt.NDArray[np.int64]

    @property
    def case(self) -> Case:
        """The case, with the batch and a state of D features."""
        arrays = wide_batch(self.seed, self.rows, self.config.features)
        return Case(self.config, State(*arrays[1:]), arrays[0], as_jax=True)


@formula
def wide_batch(seed: npt.NDArray[np.int64], rows: int, features: int) -> list[Float32]:
    """Return x, (N, D), and γ, β, rm and rv, (D,), of small numbers that differ by feature."""
    feature = np.arange(features)
    draws = [scramble(feature, int(seed[0]) + 7919 * n) for n in range(rows + 5)]
    scale = 2.0 ** (draws[0] % 7 - 3)
    x = [scale * (draw % 17 - 8) for draw in draws[5:]]
    gamma = np.array([1, -1, 2, 0.5, -2.5, 1.25, 0.7, -0.3])[draws[1] % 8]
    beta = np.array([0, 1, -1, 0.5, 2, -3, 0.25, -0.1])[draws[2] % 8]
    mean = scale * np.array([0, 1, -1, 0.5, -0.25, 2])[draws[3] % 6]
    var = scale**2 * np.array([1, 2, 0.5, 4, 0.25, 3])[draws[4] % 6]
    return [np.asarray(array, np.float32) for array in (np.stack(x), gamma, beta, mean, var)]


@composite
def wide_cases(reader: ByteReader, palette: tuple[Entry, ...]) -> Wide:
    """Batches of many features, of a size from the palette."""
    entry = palette[reader.draw(integers(0, len(palette) - 1))]
    seed = np.array([reader.draw(integers(0, 2**16 - 1))], np.int64)
    return Wide(entry.config, entry.rows, seed)
