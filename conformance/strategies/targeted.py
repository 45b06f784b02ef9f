"""Strategies that target one requirement: inputs that reveal violations of it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from conformance.adapters.protocols import ARRAYS, Config
from conformance.numerics.state import AnyArray, Float32
from conformance.strategies.bytestream import ByteReader, ByteStrategy, composite, integers
from conformance.strategies.case import Case
from conformance.strategies.columns import BLOCK
from conformance.strategies.mined import Valued
from conformance.strategies.palette_cases import NEVER_FRESH, Palette, batches, cases, draw_columns
from conformance.strategies.shape_grid import EAGER, Entry, with_momentum


class Shifted(NamedTuple):
    """A case and a constant per feature, (D,), such that x + shift is exact in float32."""

    case: Case
    shift: Float32


class Scaled(NamedTuple):
    """A case and a power of two."""

    case: Case
    factor: float


class Permuted(NamedTuple):
    """A case, an order of its rows and an order of its features."""

    case: Case
    row_order: list[int]
    feature_order: list[int]


class Poisoned(NamedTuple):
    """A case, one of its features, and what replaces that feature, (N,)."""

    case: Case
    column: int
    replacement: Float32


@composite
def shifted_cases(reader: ByteReader, palette: Palette) -> Shifted:
    """Cases with multiples of 1/64 up to 64, and integer shifts (D,) up to 8192.

    x and x + shift are both exact in float32.
    """
    case = reader.draw(cases(palette))
    grid = np.clip(np.round(case.x * 64), -4096, 4096) / 64
    shift = [reader.draw(integers(0, 13)) for _ in range(case.config.features)]
    sizes = np.array([1, 0, -3, 7, -20, 50, 100, -100, 300, -512, 1000, 2048, -8192, 8192])
    return Shifted(case.with_x(grid), sizes[shift].astype(np.float32))


@composite
def scaled_cases(reader: ByteReader, palette: Palette) -> Scaled:
    """Cases with a power of two, by which x can be scaled exactly."""
    case = reader.draw(cases(palette))
    return Scaled(case, float(2.0 ** (1, -1, 3, -4)[reader.draw(integers(0, 3))]))


@composite
def permuted_cases(reader: ByteReader, palette: Palette) -> Permuted:
    """Cases with a permutation of the rows and one of the features."""
    case = reader.draw(cases(palette, fresh_from=NEVER_FRESH))
    rows, features = case.x.shape
    return Permuted(case, reader.draw(permutations(rows)), reader.draw(permutations(features)))


@composite
def permutations(reader: ByteReader, size: int) -> list[int]:
    """Permutations of range(size), shrinking to reversal."""
    raw = reader.take(BLOCK)
    keys = [(raw[i % BLOCK] * (1 + 2 * (i // BLOCK)) % 256, -i) for i in range(size)]
    return sorted(range(size), key=keys.__getitem__)


@composite
def replaced_columns(reader: ByteReader, palette: Palette) -> Poisoned:
    """Cases of two or more features, and another feature that replaces one of them, (N,)."""
    case = reader.draw(cases(tuple(entry for entry in palette if entry.features > 1)))
    rows, features = case.x.shape
    column = reader.draw(integers(0, features - 1))
    other = reader.draw(batches(Entry(rows, 1, 0.0, case.config.eps)))[:, 0]
    return Poisoned(case, column, other * np.float32((1, 100)[reader.draw(integers(0, 1))]))


@composite
def free_configs(reader: ByteReader, palette: Palette) -> Case:  # noqa: ARG001  one fixed shape
    """Cases with any momentum in [0, 1] and any eps in [1e-16, 100].

    One momentum in three is near an end of its range, and half of all eps are in the usual
    range [1e-8, 10]. There is one shape only, because a layer that compiles itself does so
    for each configuration.
    """
    first = reader.draw(integers(0, 10_000)) / 10_000
    special = (0.0, 1.0, 0.995, 0.001, 0.9995, 0.99993, 5e-5)
    momentum = (first, *special)[max(0, reader.draw(integers(0, 20)) - 13)]
    usual = reader.draw(integers(0, 1)) == 0
    exponent = reader.draw(integers(0, 900)) / 100
    eps = float(f"{10 ** (1 - exponent if usual else 2 - 2 * exponent):.3g}")
    entry = Entry(3, 2, momentum, eps)
    columns = draw_columns(reader, entry)
    ratio = (1.0, 0.5, 3.0)[reader.draw(integers(0, 2))]
    near = np.float32(np.sqrt(eps) * ratio)
    x = np.stack([columns.x[:, 0], near * np.array([0, 1, 3], np.float32)], axis=1)
    state = columns.state
    running_var = state.running_var.copy()
    running_var[0] = np.float32(eps)
    return Case(
        config=Config(features=2, momentum=momentum, eps=eps),
        state=state.replace(running_var=running_var),
        x=x.astype(np.float32),
    )


def stackable_cases(palette: Palette) -> ByteStrategy[Case]:
    """Cases whose batch stacked on itself, (2N, D), has a shape from the palette as well."""
    shapes = {(entry.rows, entry.features) for entry in palette}
    return cases(tuple(e for e in palette if (2 * e.rows, e.features) in shapes))


@composite
def constant_cases(reader: ByteReader, palette: Palette) -> Case:
    """Cases in which each feature is constant."""
    case = reader.draw(cases(palette))
    return case.with_x(np.broadcast_to(case.x[:1], case.x.shape))


@composite
def cases_near_eps(reader: ByteReader, palette: Palette) -> Case:
    """Cases whose variances, the batch's and the running ones, are 0 to some ten times ε.

    The batch is a pattern of small integers times √ε; a variance far above ε would hide where
    ε is added.
    """
    small = tuple(entry for entry in palette if entry.rows <= 4)  # kernels may special-case them
    case = reader.draw(cases((*palette, *small), fresh_from=NEVER_FRESH))
    rows, features = case.x.shape
    raw = np.frombuffer(reader.take(BLOCK), np.uint8)
    pattern = np.resize(raw % 4, rows)[:, None] * (1 + np.arange(features)[None, :] % 2)
    unit = np.sqrt(case.config.eps) * (1.0, 0.1, 0.4, 1.7, 1e-3)[reader.draw(integers(0, 4))]
    ratios = np.resize(np.array([1, 0.1, 0, 3, 0.01, 10]), features)
    state = case.state
    assert state is not None, "not fresh"  # noqa: S101
    return replace(
        case.with_x(pattern * unit),
        state=state.replace(running_var=(case.config.eps * ratios).astype(np.float32)),
    )


@composite
def offset_cases(reader: ByteReader, palette: Palette) -> Case:
    """Cases whose features have offsets of 0 to 2e4 units, about a standard deviation each.

    Few rows keep the bound tight; γ is never 0, which would hide every error.
    """
    case = reader.draw(cases(tuple(entry for entry in palette if 1 < entry.rows < 20)))
    rows, features = case.x.shape
    raw = [reader.take(BLOCK) for _ in range(features)]
    small = np.array([[byte % 8 for byte in column[:rows]] for column in raw], float).T
    offsets = np.array([0, 1, -3, 30, 300, -1e3, 3e3, 1e4, -2e4])
    chosen = offsets[[reader.draw(integers(0, len(offsets) - 1)) for _ in range(features)]]
    x = (small + chosen) * (1.0, 0.1, 30.0)[reader.draw(integers(0, 2))]
    if case.state is None:
        return case.with_x(x)
    gamma = np.where(case.state.gamma == 0, np.float32(1), case.state.gamma)
    return replace(case.with_x(x), state=case.state.replace(gamma=gamma))


@composite
def scale_cases(reader: ByteReader, palette: Palette) -> Case:
    """Cases whose features differ in scale by up to twelve orders of magnitude."""
    case = reader.draw(cases(palette))
    powers = [reader.draw(integers(0, 12)) for _ in range(case.config.features)]
    scales = 10.0 ** np.array([0, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6])[powers]
    return case.with_x(np.clip(case.x, -400, 400) * scales)


_TALLEST = EAGER[-1]


@composite
def extreme_cases(reader: ByteReader, palette: Palette) -> Case:
    """Cases with outliers, zeros, integers and values up to 1e12.

    One value of N is at most √(N−1) standard deviations from the mean, so clipping at c of them
    is visible only if N > c² + 1. Therefore one kind has 1025 rows.
    """
    kind = reader.draw(integers(0, 5))
    case = reader.draw(cases((_TALLEST,) if kind == 5 else palette))
    rows, features = case.x.shape
    row, column = reader.draw(integers(0, rows - 1)), reader.draw(integers(0, features - 1))
    x = case.x.astype(np.float64)
    if kind in {0, 5}:
        x[row, column] = 1e4
    elif kind == 1:
        x = np.round(x)
    elif kind == 2:
        x[:, column] *= 1e9
    elif kind == 3:
        x[row, column] = -1e12
    else:
        x[row, :] = 0
    return case.with_x(x)


@composite
def mined_cases(reader: ByteReader, entry: Valued) -> Case:
    """Cases about a number c: elements, means, deviations, variances, states around it.

    In one kind every number is below c, in another above it, because some mistakes look at the
    whole batch.
    """
    c, kind = entry.value, reader.draw(integers(0, 2))
    state = draw_columns(reader, entry).state
    rows, features = entry.rows, entry.features
    raw = np.frombuffer(reader.take(BLOCK), np.uint8)
    small = np.resize(raw % 8, (rows, features)).astype(np.float64)
    if kind:
        x = small * c / 10 if kind == 1 else c * (1.25 + small)
        return Case(config=entry.config, state=state, x=_as_float32(x), as_jax=kind == 1)
    signs = np.where(np.arange(rows) % 2, -1, 1)
    x = small.copy()
    x[0, :3] = c, c + 1, -c
    x[:, 3] = c + small[:, 3] * max(c, 1) / 64
    x[:, 4] = c - 1 + small[:, 4] * max(c, 1) / 64
    x[:, 5], x[:, 6], x[:, 7] = c * signs, np.sqrt(c) * signs, 1.01 * c * signs
    x[:, 8] = c * small[:, 8]
    around = np.array([c, c + 1, abs(c - 1), 1.01 * c, 0.99 * c])
    arrays = {name: getattr(state, name).copy() for name in ARRAYS}
    for place, name in enumerate(ARRAYS):
        arrays[name][place : place + 5] = around
    return Case(config=entry.config, state=state.replace(**arrays), x=_as_float32(x), as_jax=False)


def _as_float32(x: AnyArray) -> Float32:
    return x.astype(np.float32)


def extreme_or_mined(palette: Palette) -> ByteStrategy[Case]:
    """Cases about a number of the source if the palette is for one, and extreme ones if not."""
    first = palette[0]
    return mined_cases(first) if isinstance(first, Valued) else extreme_cases(palette)


def plain_or_mined(palette: Palette) -> ByteStrategy[Case]:
    """Cases about a number of the source if the palette is for one, and plain ones if not."""
    first = palette[0]
    return mined_cases(first) if isinstance(first, Valued) else cases(palette)


def cases_at_momentum(palette: Palette, momentum: float) -> ByteStrategy[Case]:
    """Cases with a given momentum, of few shapes, because each configuration may compile."""
    return cases(with_momentum(momentum, palette[::5]))


def cases_with(palette: Palette, *, rows: int) -> ByteStrategy[Case]:
    """Cases with a given number of rows."""
    return cases(tuple(entry for entry in palette if entry.rows == rows))
