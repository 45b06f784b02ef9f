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
from conformance.adapters.operations.equations import function_of
from conformance.adapters.operations.nnx_facts import describe_holders
from conformance.adapters.protocols import Config, Layer

_SHAPES = ((1, 1), (1, 3), (4, 1), (5, 3), (3, 5), (2, 2), (64, 3))
_SETTINGS = ((0.9, 1e-5), (0.0, 0.5))
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
    around = [(size, 2) for each in rows for size in (each - 1, each, each + 1)]
    try:
        parts = [
            part
            for shape in (*_SHAPES, *around)
            for settings in _SETTINGS[: 1 if shape in around else None]
            for part in _parts(implementation, shape, *settings)
        ]
    except Exception:  # noqa: BLE001  what cannot be traced has no program
        return ""
    return _ADDRESS.sub("", "\n".join(parts))


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
            raise TypeError("the layer is no function of arrays")
        call, state = traced
        x = jnp.zeros(shape, jnp.float32)

        def pull(state: Any, x: Any, call: Any = call) -> Any:
            y, pullback = jax.vjp(lambda x: call(state, x)[0], x)
            return y, pullback(jnp.ones_like(y))

        yield str(jax.make_jaxpr(call)(state, x))
        if implementation.differentiable:
            yield str(jax.make_jaxpr(pull)(state, x))
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
