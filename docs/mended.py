"""Layers of frameworks with one mistake taken out, so that what stands behind it is met."""

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
from conformance.adapters.pure import Held
from conformance.adapters.wide import MaskedPure, WideLayer


@dataclass(frozen=True, slots=True)
class OneAsTwo:
    """A layer of one feature, answered by one of two equal features.

    ``pure``: of the layer of two features; ``axis``: where the features are.
    """

    pure: MaskedPure
    axis: int

    def __call__(self, held: Held, x: Any, flag: Any, mask: Any) -> tuple[Any, Held]:
        """Return y and what is held after the call, of one feature."""
        twice = {name: jnp.repeat(held[name], 2) for name in ARRAYS}
        both = jnp.repeat(x, 2, axis=self.axis)
        y, after = self.pure({**held, **twice}, both, flag, mask)
        return jnp.take(y, jnp.array([0]), axis=self.axis), _first(after)


def _first(held: Held) -> Held:
    return {**held, **{name: held[name][:1] for name in ARRAYS}}


def keras_wide() -> Implementation:
    """Return Keras' layer, which raises where a single feature is masked."""
    return without_single_features(peers.keras_wide())


def without_single_features(made: Implementation) -> Implementation:
    """Return the implementation with its layers of the wider domain never asked for D = 1."""
    assert made.wider is not None, "a wider domain"  # noqa: S101
    assert made.wider.build is not None, "what builds its layers"  # noqa: S101
    wider = replace(made.wider, build=partial(_build, made.wider.build))
    kind = f"{made.kind}, where D = 1 answered by one of two features"
    return replace(made, name=f"{made.name}, mended", kind=kind, wider=wider)


def _build(
    build: Callable[[Config, Options], WideLayer], config: Config, options: Options
) -> WideLayer:
    if config.features > 1:
        return build(config, options)
    two = build(replace(config, features=2), options)
    axis = -1 if options.axis is None else options.axis
    return WideLayer(OneAsTwo(two.pure, axis), _first(two.held))
