"""Keras' layer with one known bug worked around, so that what the bug hides can be judged.

With a mask Keras raises if there is a single feature. Here such a layer is computed as one of two
equal features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax.numpy as jnp

from conformance.adapters import peers
from conformance.adapters.domain import Options
from conformance.adapters.implementation import Implementation
from conformance.adapters.protocols import ARRAYS, Config
from conformance.adapters.pure import Arrays
from conformance.adapters.wide import MaskedPure, WideLayer


@dataclass(frozen=True, slots=True)
class OneOfTwo:
    """A layer of one feature, computed as one of two equal features.

    Attributes:
        pure: the call of the layer of two features.
        axis: the feature axis of x.
    """

    pure: MaskedPure
    axis: int

    def __call__(self, state: Arrays, x: Any, flag: Any, mask: Any) -> tuple[Any, Arrays]:
        """Return y and the new state, of one feature."""
        doubled = {name: jnp.repeat(state[name], 2) for name in ARRAYS}
        both = jnp.repeat(x, 2, axis=self.axis)
        y, after = self.pure({**state, **doubled}, both, flag, mask)
        return jnp.take(y, jnp.array([0]), axis=self.axis), _first(after)


def _first(state: Arrays) -> Arrays:
    return {**state, **{name: state[name][:1] for name in ARRAYS}}


def keras() -> Implementation:
    """Return Keras' layer with the workaround."""
    return without_single_features(peers.keras())


def without_single_features(layer: Implementation) -> Implementation:
    """Return an implementation whose layer in the extended domain is never built with D = 1."""
    assert layer.wider is not None, "an extended domain is declared"  # noqa: S101
    assert layer.wider.build is not None, "the domain has a builder"  # noqa: S101
    wider = replace(layer.wider, build=partial(_build, layer.wider.build))
    kind = f"{layer.kind}, D = 1 computed as one of two equal features"
    return replace(layer, name=f"{layer.name}, worked around", kind=kind, wider=wider)


def _build(
    build: Callable[[Config, Options], WideLayer], config: Config, options: Options
) -> WideLayer:
    if config.features > 1:
        return build(config, options)
    two = build(replace(config, features=2), options)
    axis = -1 if options.axis is None else options.axis
    return WideLayer(OneOfTwo(two.pure, axis), _first(two.arrays))
