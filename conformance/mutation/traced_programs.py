"""The program that a layer is, as far as tracing shows: the same text is the same program.

Many edits change nothing that is computed, such as that of a default which is always overridden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.implementation import Implementation
from conformance.adapters.nnx import NnxLayer
from conformance.adapters.operations.expressions import function_of
from conformance.adapters.operations.nnx_facts import describe_holders
from conformance.adapters.protocols import Config, Layer

_CONDITIONS = (
    ((5, 3), 0.9, 1e-5),
    ((5, 3), 0.0, 0.5),
    ((1, 3), 0.9, 1e-5),
    ((4, 1), 0.9, 1e-5),
    ((2, 2), 0.9, 1e-5),
    ((64, 3), 0.9, 1e-5),
)
"""Shape, momentum and eps; a layer is called, beside being traced, with the first of them."""

_MOST_ROWS = 70_000
_ADDRESS = re.compile(r"0x[0-9a-f]+|\bid=\d+")
_IDENTITY = "identity"


def trace_program(implementation: Implementation, mined: Sequence[float]) -> str:
    """Return construction, both modes and their gradients as text; empty if it cannot be traced.

    Args:
        implementation: The layer.
        mined: Numbers of its source; those that can be sizes are.
    """
    rows = [int(each) for each in mined if each == int(each) and 2 < each <= _MOST_ROWS]
    around = [((size, 2), 0.9, 1e-5) for each in rows for size in (each - 1, each, each + 1)]
    parts: list[str] = []
    for conditions in (*_CONDITIONS, *around):
        try:
            parts += _parts(implementation, *conditions)
        except Exception as error:  # noqa: BLE001  a layer may refuse a shape
            parts.append(type(error).__name__)
    traced = any("lambda" in part for part in parts)  # as the text of each program begins
    return _ADDRESS.sub("", "\n".join(parts)) if traced else ""


def _parts(
    implementation: Implementation, shape: tuple[int, int], momentum: float, eps: float
) -> Iterator[str]:
    assert implementation.build is not None  # noqa: S101
    config = Config(features=shape[1], momentum=momentum, eps=eps)
    for flag in (False, True):
        layer = implementation.build(config)
        yield from _facts(layer)
        traced = function_of(layer, flag)
        if traced is None:
            raise TypeError("the layer is not a function of arrays")
        call, state, _ = traced
        x = jnp.zeros(shape, jnp.float32)

        def pull(state: Any, x: Any, call: Any = call) -> Any:
            y, pullback = jax.vjp(lambda x: call(state, x)[0], x)
            return y, pullback(jnp.ones_like(y))

        yield str(jax.make_jaxpr(call)(state, x))
        if implementation.differentiable:
            yield str(jax.make_jaxpr(pull)(state, x))
        if (shape, momentum, eps) == _CONDITIONS[0]:
            y = layer(np.zeros(shape, np.float32), flag)
            yield f"{type(y).__name__} {y.shape} {y.dtype}"
            yield from _facts(layer)


def _facts(layer: Layer) -> Iterator[str]:
    """Yield what the layer holds besides what it computes."""
    for name, array in layer.read().items():
        yield f"{name}: {getattr(array, 'dtype', '')} {np.asarray(array).tolist()}"
    if isinstance(layer, NnxLayer):
        holders = describe_holders(layer).items()
        yield str({n: {k: v for k, v in each.items() if k != _IDENTITY} for n, each in holders})
        yield str(layer.attributes_now())
