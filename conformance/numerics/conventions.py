"""What a declared deviation changes in the oracle, the bounds, and the building of layers.

Without a declaration every function here returns what the requirements say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import numpy as np

from conformance.adapters.protocols import Config
from conformance.requirements.deviations import Deviation

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


_COUNTING = (Deviation.ZERO_DEBIASED_STATISTICS, Deviation.FIRST_BATCH_REPLACES)


def counts() -> bool:
    """Tell whether the number of updates behind the running statistics matters."""
    return any(follows(deviation) for deviation in _COUNTING)


def as_count(read: Any) -> Any:
    """Return what a layer says of its updates as a count: for some only the first is special."""
    return read if follows(Deviation.ZERO_DEBIASED_STATISTICS) else np.minimum(read, 1)


def counted(count: Any) -> Any:
    """Return the count after one more update; None, any number, stays that."""
    return None if count is None else as_count(count + 1)


def weight_of_old(momentum: float, count: Any) -> float:
    """Return the share that the old average keeps, after ``count`` updates: m by the requirements.

    Zero-debiased averages Σ (1−m)·mᵗ⁻ʲ·b_j / (1−mᵗ) keep m·(1−mᵗ⁻¹)/(1−mᵗ) with t = count + 1;
    where the first batch replaces them, nothing at first and m later.
    """
    if count is not None and follows(Deviation.FIRST_BATCH_REPLACES):
        return 0.0 if count == 0 else momentum
    power, _ = remaining(momentum, count)
    return (momentum - power) / (1 - power)


def remaining(momentum: float, count: Any) -> tuple[float, int]:
    """Return mᵗ, the share of a sum that is still 0 after this update, and t; 0, 0 by default."""
    if count is None or not follows(Deviation.ZERO_DEBIASED_STATISTICS):
        return 0.0, 0
    updates = int(count) + 1
    return momentum**updates, updates


def largest_momentum() -> float:
    """Return the largest momentum that makes sense: 1, or less where 1 − mᵗ divides."""
    return 0.99 if follows(Deviation.ZERO_DEBIASED_STATISTICS) else 1.0


def normalises_with_average() -> bool:
    """Tell whether y of a training call comes from rm' and rv' instead of μ and v."""
    return follows(Deviation.EMA_NORMALISED_TRAINING)


def follows_gradient_through_averages() -> bool:
    """Tell whether averages that y comes from carry a gradient back to x, or are constants."""
    return follows(Deviation.GRADIENT_THROUGH_STATISTICS)


def weights_of_new(momentum: float, count: Any, rows: int) -> tuple[float, float, float]:
    """Return the weight of the batch in an average, what v is multiplied by, and e_k.

    e_k, the error of that weight, is that of an average of numbers of size 1.
    """
    weight = 1 - weight_of_old(momentum, count)
    return weight, share_stored(rows), roundings(momentum, count) * 2.0**-24


def roundings(momentum: float, count: Any) -> float:
    """Return by how many u an average of numbers of size 1 errs in one update."""
    power, updates = remaining(momentum, count)
    return (5 + 2 * (updates + 6) * power) / (1 - power)


_STORED = {
    Deviation.STATISTICS_IN_BFLOAT16: "bfloat16",
    Deviation.STATISTICS_IN_FLOAT16: "float16",
    Deviation.STATISTICS_IN_FLOAT64: "float64",
}
_ANSWERED = {
    Deviation.OUTPUT_IN_BFLOAT16: "bfloat16",
    Deviation.OUTPUT_IN_FLOAT16: "float16",
    Deviation.OUTPUT_IN_FLOAT64: "float64",
}
_ROUNDOFF = {"bfloat16": 2.0**-8, "float16": 2.0**-11}
"""u of the dtypes that have fewer digits than float32."""

LARGEST_IN_FLOAT16 = 3e4
"""Beyond, a sum of two numbers may overflow in float16."""

_SPACING = {"float16": 2.0**-24}
"""Between the smallest numbers; those of bfloat16 end where those of float32 do."""


def statistics_dtype() -> str | None:
    """Return the dtype that the running statistics are declared to have, None for no other."""
    return next((dtype for deviation, dtype in _STORED.items() if follows(deviation)), None)


def stored_roundoff() -> float:
    """Return u of the running statistics, where it is larger than that of float32; else 0."""
    return _ROUNDOFF.get(statistics_dtype() or "", 0.0)


def stored_spacing() -> float:
    """Return the distance of the smallest running statistics, where it matters; else 0."""
    return _SPACING.get(statistics_dtype() or "", 0.0)


def largest_stored() -> float:
    """Return up to which size a running statistic, and what it is made of, cannot overflow."""
    return _largest(statistics_dtype())


def _largest(dtype: str | None) -> float:
    return LARGEST_IN_FLOAT16 if dtype == "float16" else np.inf


def output_dtype() -> str | None:
    """Return the dtype that y is declared to have, None where none is declared."""
    return next((dtype for deviation, dtype in _ANSWERED.items() if follows(deviation)), None)


def output_roundoff() -> float:
    """Return u of y, where it is larger than that of float32; else 0."""
    return _ROUNDOFF.get(output_dtype() or "", 0.0)


def output_spacing() -> float:
    """Return the distance of the smallest y, where it matters; else 0."""
    return _SPACING.get(output_dtype() or "", 0.0)


def largest_output() -> float:
    """Return up to which size y, and what it is made of, cannot overflow."""
    return _largest(output_dtype())


def evaluates(flag: Any) -> bool:
    """Return the mode that a flag selects: flag ≥ 0.5, or its truth if that is declared."""
    return bool(flag) if follows(Deviation.TRUTHY_FLAG) else flag >= 0.5
