"""Rows of padding: zeros after the last rows of a batch, which must stay out of its statistics."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from conformance.diagnosis.approximate import Approximate, Float64
from conformance.diagnosis.lines.expressions import tolerance
from conformance.diagnosis.lines.known_values import KnownValues


def without_padding(value: Float64, right: Approximate) -> Float64 | None:
    """Return a value with zeros after the last rows of what is right; None if it has not these.

    Args:
        value: The value, (…, D), of which some rows follow those of the batch.
        right: What is right for all rows of the batch, (N, D).
    """
    limit = tolerance(right) if right.value.ndim == 2 else None
    if limit is None or value.ndim < 2 or value.shape[-1] != right.shape[1]:
        return None
    rows = value.reshape(-1, value.shape[-1])
    for first in range(len(right.value)):
        last = right.value[first:]
        near = len(last) < len(rows) and np.abs(rows[: len(last)] - last) <= limit[first:]
        if np.all(near):
            filled = np.zeros_like(rows)
            filled[: len(last)] = last
            return filled.reshape(value.shape)
    return None


class PaddedValues(KnownValues):
    """Known values, also with rows of zeros after them."""

    def __init__(self, values: Mapping[str, Approximate]) -> None:
        super().__init__(values)
        self._rows = {name: each for name, each in values.items() if each.value.ndim == 2}

    def find(self, value: Float64) -> str | None:
        """Return the name of the first value that an array agrees with, but for padding."""
        found = super().find(value)
        if found is not None or value.ndim < 2 or value.reshape(-1, value.shape[-1])[-1].any():
            return found
        padded = ((name, without_padding(value, each)) for name, each in self._rows.items())
        same = (n for n, filled in padded if filled is not None and np.allclose(filled, value))
        return next(same, None)
