"""Finds out the momentum and the ε of a layer that has no arguments for them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from conformance.adapters.errors import AdapterError, wrap_errors
from conformance.adapters.protocols import Config, Layer

_FEATURES, _ROWS = 3, 4

_Pair = tuple[float | None, float]
"""A value as two calls show it; None if they show none."""


def measure_fixed(
    line: str, build: Callable[[Config], Layer], names: Collection[str], *, averages: bool = True
) -> dict[str, float]:
    """Return the values that a layer always has, by two calls for each that must agree.

    Where they do not, two calls in the other mode decide: a layer whose modes are exchanged is to
    be judged, at the values that it has.

    Args:
        line: The beginning of the line to write if they do not, for messages.
        build: Makes a layer.
        names: "momentum", "eps" or both.
        averages: The layer has running statistics.

    Raises:
        AdapterError: A layer cannot be built or called, or the two calls disagree.
    """
    measures = {
        "momentum": _measure_momentum,
        "eps": _measure_eps if averages else _measure_eps_in_training,
    }
    found: dict[str, float] = {}
    for name in (name for name in measures if name in names):
        with wrap_errors(f"a call of {line}…)", "failed"):
            pairs = [measures[name](build, exchanged) for exchanged in (False, True)]
        agreeing = [a for a, b in pairs if a is not None and np.isclose(a, b, rtol=1e-3, atol=0)]
        if not agreeing:
            first, second = pairs[0]
            msg = (
                f"no argument has a known name for {name}, and two calls show no fixed value "
                f"(they look like {first} and {second}): write fixed={{{name!r}: …}} in {line}…)"
            )
            raise AdapterError(f"{msg}, or {name}=… with the name of the argument.")
        found[name] = float(f"{agreeing[0]:.4g}")
    return found


def _measure_momentum(build: Callable[[Config], Layer], exchanged: bool) -> _Pair:
    """Return m from rm' = m·rm + (1−m)·1, for the running means 0 and 3."""
    after = []
    for before in (0, 3):
        layer = _prepare(build, running_mean=before, running_var=1)
        layer(np.ones((_ROWS, _FEATURES), np.float32), exchanged)
        after.append(_first(layer.read()["running_mean"]))
    weight = 1 - after[0]
    return (None if weight == 1 else weight), (after[1] - 1) / 2


def _measure_eps(build: Callable[[Config], Layer], exchanged: bool) -> _Pair:
    """Return ε from y = 1/√(rv + ε), for rv = 0 and for ten times the ε that this yields."""
    found: list[float] = []
    for _ in range(2):
        var = 10 * found[0] if found else 0.0
        layer = _prepare(build, running_mean=0, running_var=var)
        y = _first(layer(np.ones((_ROWS, _FEATURES), np.float32), not exchanged))
        if not np.isfinite(y) or y == 0:
            return None, y
        found.append(1 / y**2 - var)
    return found[0], found[1]


def _measure_eps_in_training(build: Callable[[Config], Layer], exchanged: bool) -> _Pair:
    """Return ε from y = s/√(s² + ε), for a batch of ±s and two values of s."""
    found: list[float] = []
    for size in (1e-3, 3e-3):
        x = np.full((_ROWS, _FEATURES), size, np.float32)
        x[::2] *= -1
        y = _first(_prepare(build)(x, exchanged))
        found.append(size**2 / y**2 - size**2 if y else np.nan)
    return found[0], found[1]


def _prepare(build: Callable[[Config], Layer], **values: float) -> Layer:
    layer = build(Config(features=_FEATURES))
    known = {"gamma": 1.0, "beta": 0.0, **values}
    held = layer.read()
    layer.write({n: np.full(_FEATURES, v, np.float32) for n, v in known.items() if n in held})
    return layer


def _first(values: Any) -> float:
    return float(np.asarray(values).ravel()[0])
