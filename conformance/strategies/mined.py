"""Palettes of the numbers that the source of an implementation mentions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.strategies.shape_grid import EAGERLY, LARGEST, SIZES, SWEPT, Entry


@dataclass(frozen=True, slots=True)
class Valued(Entry):
    """An entry for cases about a number that the source of the layer mentions."""

    value: float


MINED_SIZES = 4
"""Numbers of a source that become sizes of one kind, at most; each costs several compilations."""

SWEPT_UP_TO = 1025
"""The largest size of the sweep; beyond it sums have to be exact."""

_TALLEST_MINED, _WIDEST_MINED = 2**21 + 1, 2**17 + 1
_IN_FOUR_COLUMNS = 900_000
"""The number of rows up to which there are four columns: 16 MB."""

_LARGE = (0.25, 1e-3)


def _new_sizes(mined: Sequence[float], least: int, most: int) -> list[tuple[int, int, int]]:
    """Return the sizes between two numbers that are not tried anyway, each with its neighbors."""
    sizes = [round(each) for each in mined if each == round(each) and least < each <= most]
    near = [(size - 1, size, size + 1) for size in sizes]
    return [each for each in near if not {*each} <= {*SIZES, *range(1, 11)}][:MINED_SIZES]


def mined_sizes(mined: Sequence[float], most: int = SWEPT_UP_TO) -> tuple[tuple[Entry, ...], ...]:
    """Return palettes of a single entry: the sizes that a source mentions, each ±1.

    What is compiled has one feature, or two rows; one entry of each is called eagerly.

    Args:
        mined: The numbers, the most relevant first.
        most: The largest size.
    """
    entries: list[Entry] = []
    for near in _new_sizes(mined, 2, most):
        entries += [Entry(rows, 1, *SWEPT) for rows in near]
        entries += [Entry(2, features, *SWEPT) for features in near]
        entries += [Entry(near[-1], 1, *EAGERLY), Entry(2, near[-1], *EAGERLY)]
    return tuple((entry,) for entry in entries)


def mined_sizes_of_functions(mined: Sequence[float]) -> tuple[tuple[Entry, ...], ...]:
    """Return the palettes of ``mined_sizes`` for functions, which no other sizes are for."""
    return mined_sizes(mined, 4 * LARGEST)


def mined_rows(mined: Sequence[float]) -> tuple[tuple[Entry, ...], ...]:
    """Return palettes of a single entry: the numbers of rows beyond the sweep, each ±1.

    One of them has a single column, so that it is the number of elements as well.
    """
    entries: list[Entry] = []
    for near in _new_sizes(mined, SWEPT_UP_TO, _TALLEST_MINED):
        features = 4 if near[-1] < _IN_FOUR_COLUMNS else 1
        entries += [Entry(rows, features, *_LARGE) for rows in near]
        entries += [Entry(near[1], 1, *_LARGE)] * (features > 1)
    return tuple((entry,) for entry in entries)


def mined_widths(mined: Sequence[float]) -> tuple[tuple[Entry, ...], ...]:
    """Return palettes of a single entry: the numbers of features beyond the sweep, each ±1."""
    near = _new_sizes(mined, SWEPT_UP_TO, _WIDEST_MINED)
    return tuple((Entry(2, features, *_LARGE),) for each in near for features in each)


def mined_values(mined: Sequence[float]) -> tuple[tuple[Entry, ...], ...]:
    """Return palettes of a single entry for the numbers that a source mentions.

    A number is also the momentum, and ε, where it can be.

    Args:
        mined: The numbers.
    """
    configs = [((0.75, 1e-5), *_as_config(value)) for value in mined]
    return tuple(
        (Valued(6, 10, *config, value),)
        for value, each in zip(mined, configs, strict=True)
        for config in each
    )


def _as_config(value: float) -> Iterator[tuple[float, float]]:
    if value <= 1:
        yield value, 1e-5
    if 1e-12 <= value <= 10:
        yield 0.75, value
