"""The operation that measures how fast the programs of a layer grow with the number of rows."""

from __future__ import annotations

from typing import Any, cast

import jax
import numpy as np

from conformance.adapters.operations.evaluation import CALLS
from conformance.adapters.operations.pullbacks import prepare_call
from conformance.adapters.protocols import Layer

_SIZES = ((16, 48), (512, 8192))
"""Numbers of rows that are compared, the second ones where the first show nothing: there may be
blocks of a hundred rows or a thousand. What grows by less is small at every size."""

_INLINE = CALLS - {"jit", "pjit"}
"""Primitives whose equations are executed one by one outside jit; jit itself, cond, scan and loops
are compiled as a whole."""


def measure_growth(layer: Layer, features: int) -> list[float]:
    """Return the equations that each row adds to the program of a training call.

    It is traced for a few batches, and neither compiled nor executed.

    Args:
        layer: The layer, which does not change.
        features: D.

    Returns:
        Those of the whole call, and those of the largest part that the layer compiles by itself.
        Zeros for a layer that JAX cannot trace.
    """
    growth = [0.0, 0.0]
    for few, more in _SIZES:
        try:
            counts = [_count_traced(layer, rows, features) for rows in (few, more)]
        except Exception:  # noqa: BLE001  what cannot be traced has no program
            return growth
        growth = [max(0.0, (b - a) / (more - few)) for a, b in zip(*counts, strict=True)]
        if any(growth):
            break
    return growth


def _count_traced(layer: Layer, rows: int, features: int) -> tuple[int, int]:
    x = np.zeros((rows, features), np.float32)
    call = cast("Any", prepare_call(layer, x, False).value)
    return _count(jax.make_jaxpr(call.output)(x).jaxpr)


def _count(jaxpr: Any) -> tuple[int, int]:
    """Return the number of equations, and that of the largest function that is compiled apart."""
    total = largest = 0
    for equation in jaxpr.eqns:
        total += 1
        for value in equation.params.values():
            for each in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(each, "jaxpr", each)
                if not hasattr(inner, "eqns"):
                    continue
                inside, compiled = _count(inner)
                total += inside
                apart = equation.primitive.name not in _INLINE
                largest = max(largest, compiled, inside if apart else 0)
    return total, largest
