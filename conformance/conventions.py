"""What a declared deviation changes in the oracle, the bounds, and the building of layers.

Without a declaration every function here returns what the requirements say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from conformance.implementation import Config, Deviation

Declared = frozenset[Deviation]

_NOTHING: Declared = frozenset()
_in_force: ContextVar[Declared] = ContextVar("deviations in force", default=_NOTHING)


@contextmanager
def in_force(declared: Declared) -> Iterator[None]:
    """Judge by the declared conventions inside the block."""
    token = _in_force.set(declared)
    try:
        yield
    finally:
        _in_force.reset(token)


def follows(deviation: Deviation) -> bool:
    """Tell whether the implementation that is being judged declares the deviation."""
    return deviation in _in_force.get()


def constructed(config: Config, declared: Declared) -> Config:
    """Return what the constructor gets: 1−m where momentum weighs the new value."""
    if Deviation.MOMENTUM_OF_NEW_VALUE not in declared:
        return config
    return replace(config, momentum=1 - config.momentum)


def share_stored(rows: int) -> float:
    """Return by what v is multiplied before it is stored: 1, or N/(N−1) if that is declared.

    A single row has v = 0, which stays 0.
    """
    if follows(Deviation.UNBIASED_RUNNING_VARIANCE) and rows > 1:
        return rows / (rows - 1)
    return 1.0


def normalises_with_average() -> bool:
    """Tell whether y of a training call comes from rm' and rv' instead of μ and v."""
    return follows(Deviation.EMA_NORMALISED_TRAINING)


def evaluates(flag: Any) -> bool:
    """Return the mode that a flag selects: flag ≥ 0.5, or its truth if that is declared."""
    return bool(flag) if follows(Deviation.TRUTHY_FLAG) else flag >= 0.5
