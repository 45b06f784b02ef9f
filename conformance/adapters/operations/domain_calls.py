"""Operations on layers of the extended domain: masks, axes, dtypes and named axes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp

from conformance.adapters.domain import Lanes, Options
from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.values import Impossible, Live, numbers
from conformance.adapters.protocols import ARRAYS, Config
from conformance.adapters.wide import WideLayer, run


def build_with(
    implementation: Implementation, config: dict[str, Any], options: dict[str, Any], x64: bool
) -> Live:
    """Construct a layer of the extended domain.

    Args:
        implementation: What is judged.
        config: The fields of ``Config``.
        options: The fields of ``Options``.
        x64: Whether JAX has 64 bits.
    """
    wider = implementation.wider
    assert wider is not None and wider.build is not None, "gated by the capabilities"  # noqa: S101, PT018
    with _bits(x64):
        return Live(wider.build(Config(**config), Options(**options)))


def set_arrays(layer: WideLayer, arrays: dict[str, Any]) -> Live:
    """Return a layer with other arrays, each (D,), converted to the dtypes of its present ones."""
    converted = {name: array.astype(layer.arrays[name].dtype) for name, array in arrays.items()}
    return Live(WideLayer(layer.pure, {**layer.arrays, **converted}))


def read_arrays(layer: WideLayer) -> dict[str, Any]:
    """Return the four arrays of a layer, each (D,)."""
    return {name: numbers(layer.arrays[name]) for name in ARRAYS}


def run_program(
    layer: WideLayer, x: Any, w: Any, mask: Any, lanes: list[Any] | None, x64: bool
) -> dict[str, Any] | Impossible:
    """Train, differentiate and evaluate from the arrays of a layer, in one compiled program.

    Args:
        layer: The layer, which does not change.
        x: The batch, in the layout of the layer; (S, n, D) with lanes.
        w: The cotangent of y, in the same layout; None for no gradients.
        mask: The elements that count, in a shape that broadcasts; None for all.
        lanes: Name of the axis, number of shards, and whether they are on devices; None for none.
        x64: Whether JAX has 64 bits.

    Returns:
        ``y``; ``after``, the four arrays by name; ``gradients``, for gamma, beta and x; and
        ``evaluated``. ``Impossible`` if JAX has fewer devices than there are shards.
    """
    chosen = None if lanes is None else Lanes(*lanes)
    if chosen is not None and chosen.on_devices and len(jax.devices("cpu")) < chosen.shards:
        there = len(jax.devices("cpu"))
        return Impossible(
            f"a batch on {chosen.shards} devices cannot be judged: JAX has {there}. Set "
            "JAX_NUM_CPU_DEVICES=4 before jax starts, as `conformance run` does."
        )
    with _bits(x64):
        x = jnp.asarray(x) if x64 else x  # which keeps float64 only here
        found = run(layer, x, w, mask, chosen)
    return {
        "y": numbers(found.y),
        "after": {name: numbers(array) for name, array in found.after.items()},
        "gradients": [numbers(gradient) for gradient in found.gradients],
        "evaluated": numbers(found.evaluated),
    }


def refuses_mask(layer: WideLayer, x: Any, mask: Any) -> bool:
    """Return whether a training call on x raises for a mask of this shape; it is only traced."""
    try:
        jax.eval_shape(lambda x, mask: layer.pure(layer.arrays, x, False, mask), x, mask)
    except Exception:  # noqa: BLE001  any exception is a refusal
        return True
    return False


def _bits(x64: bool) -> AbstractContextManager[Any]:
    return jax.enable_x64(True) if x64 else nullcontext()
