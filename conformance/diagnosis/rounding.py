"""Rounding float64 to number formats of few digits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conformance.diagnosis.approximate import Float64


def rounded_to(kind: str) -> Callable[[Float64], Float64]:
    """Return the function that rounds to "bfloat16", "float16", or decimals of a float32."""
    if kind == "bfloat16":
        return to_bfloat16
    if kind == "float16":
        return to_float16
    decimals = int(kind)
    return lambda a: np.round(a, decimals).astype(np.float32).astype(np.float64)


def to_bfloat16(a: Float64) -> Float64:
    """Round float64 to bfloat16, ties to even."""
    bits = np.asarray(a, np.float32).view(np.uint32).astype(np.uint64)
    kept = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    rounded = kept.astype(np.uint32).view(np.float32).astype(np.float64)
    return np.where(np.isfinite(a), rounded, a)


def to_float16(a: Float64) -> Float64:
    """Round float64 to float16 via float32."""
    return np.asarray(a, np.float32).astype(np.float16).astype(np.float64)
