"""Strategies for cases in which no two numbers of the state are equal.

They reveal a restore that puts values into the wrong arrays, or in the wrong order: γ, β, rm and
rv have no magnitude in common, within one array or between two, and none is 0 or 1, as in a fresh
layer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from conformance.numerics.state import State
from conformance.strategies.bytestream import ByteReader, composite
from conformance.strategies.case import Case
from conformance.strategies.palette_cases import NEVER_FRESH, Palette, cases
from conformance.strategies.targeted import permutations

_FIRST, _STEP = 0.6, 0.25
"""Magnitudes are 0.6, 0.85, 1.1 and so on: never 1, and none is exact in float16."""


class Replaced(NamedTuple):
    """A case and another state; all 8·D magnitudes differ."""

    case: Case
    other: State


@composite
def distinct_cases(reader: ByteReader, palette: Palette) -> Case:
    """Cases whose state has 4·D different magnitudes, and whose features vary."""
    case = reader.draw(cases(palette, fresh_from=NEVER_FRESH))
    (state,) = _draw_states(reader, case.config.features, 1)
    return replace(_vary_features(case), state=state)


@composite
def replaced_cases(reader: ByteReader, palette: Palette) -> Replaced:
    """Cases with another state that shares no magnitude with the first."""
    case = reader.draw(cases(palette, fresh_from=NEVER_FRESH))
    state, other = _draw_states(reader, case.config.features, 2)
    return Replaced(replace(_vary_features(case), state=state), other)


def _draw_states(reader: ByteReader, features: int, count: int) -> list[State]:
    """Distribute distinct magnitudes in a drawn order; all but the variances have signs."""
    size = count * 4 * features
    order = np.array(reader.draw(permutations(size)))
    signs = np.array([1 - 2 * (byte % 2) for byte in reader.take(size)])
    values = signs.reshape(count, 4, features) * (
        _FIRST + _STEP * order.reshape(count, 4, features)
    )
    values[:, 3] = np.abs(values[:, 3])
    return [State(*arrays) for arrays in values.astype(np.float32)]


def _vary_features(case: Case) -> Case:
    """Replace constant features by a ramp, so that no trained variance is 0."""
    ramp = np.arange(len(case.x), dtype=np.float32)[:, None] * np.float32(0.7)
    return case.with_x(np.where(np.ptp(case.x, axis=0) == 0, ramp, case.x))
