"""Operations on any layer, and on the forward function: build, call, read, write.

Imports the standard library and NumPy only.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from conformance.adapters import call_hooks
from conformance.adapters.implementation import Implementation
from conformance.adapters.operations.values import Live, numbers
from conformance.adapters.protocols import ARRAYS, COUNT, Config, Layer


def build(
    implementation: Implementation, features: int, momentum: float, eps: float, seed: int
) -> Live:
    """Construct a layer.

    Args:
        implementation: What is judged.
        features: D.
        momentum: The weight of the old value in a running average.
        eps: The ε that is added to the variance.
        seed: The seed of the random streams.
    """
    assert implementation.build is not None, "gated by Capability.LAYER"  # noqa: S101
    config = Config(features=features, momentum=momentum, eps=eps, seed=seed)
    return Live(implementation.build(config))


def forward(implementation: Implementation, seed: Any, x: Any, flag: Any) -> Any:
    """Call the forward function on x, (N, D); return its result, (N·D,)."""
    assert implementation.forward is not None, "gated by Capability.FORWARD"  # noqa: S101
    return numbers(implementation.forward(seed, x, flag))


def put(value: Any) -> Live:
    """Keep an input, so that several calls receive the same object."""
    return Live(value)


def overwrite(kept: Any, value: Any) -> None:
    """Change an input in place.

    Args:
        kept: A NumPy array, (N, D), from ``put``.
        value: Its new contents, (N, D).
    """
    kept[...] = value


def reread(kept: list[Any]) -> list[Any]:
    """Return copies of arrays that are kept: inputs, outputs, or values of a snapshot."""
    return [numbers(value) for value in kept]


def call(layer: Layer, x: Any, flag: Any) -> Any:
    """Apply a layer to x, (N, D); return y, (N, D)."""
    return numbers(layer(x, flag))


def call_live(layer: Layer, x: Any, flag: Any) -> Live:
    """Apply a layer to x, (N, D); keep y, (N, D), the very object."""
    return Live(layer(x, flag))


def refuses(layer: Layer, x: Any, flag: Any) -> bool:
    """Return whether applying a layer to x raises an exception, of any class."""
    try:
        layer(x, flag)
    except Exception:  # noqa: BLE001  any exception is a refusal
        return True
    return False


def read(layer: Layer) -> dict[str, Any]:
    """Return the arrays of a layer, each (D,), and the number of its updates if it has one."""
    held = dict(layer.read())
    return {name: numbers(held[name]) for name in (*ARRAYS, COUNT) if name in held}


def snapshot(layer: Layer) -> Live:
    """Keep what reading a layer returns, the very objects: arrays, each (D,), and the count."""
    held = dict(layer.read())
    return Live({name: held[name] for name in (*ARRAYS, COUNT) if name in held})


def reread_snapshot(kept: dict[str, Any]) -> dict[str, Any]:
    """Return copies of what is in a snapshot."""
    return {name: numbers(value) for name, value in kept.items()}


def write(layer: Layer, values: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Replace arrays of a layer, each (D,), by name; without a count, averages are old ones."""
    layer.write(values)


def attributes(layer: Layer) -> dict[str, str]:
    """Return the Python attributes that are not state, rendered; none if they cannot be read."""
    return dict(getattr(layer, "attributes_now", dict)())


def restore(layer: Layer) -> Live:
    """Take a layer apart and put it together by its framework's means; else return it."""
    restored = getattr(layer, "restored", None)
    return Live(layer if restored is None else restored())


def begin_case() -> None:
    """Let every case start from the same global random states, in a process of the suite."""
    if call_hooks.is_watched():  # elsewhere Hypothesis does it, and restores the user's states
        seed_global_random(0)


def seed_global_random(seed: int) -> None:
    """Seed the global random states of NumPy and of Python."""
    np.random.seed(seed)  # noqa: NPY002  the legacy state is what may leak in
    random.seed(seed)
