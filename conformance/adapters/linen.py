"""Drives classes of flax.linen, among them its own BatchNorm."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen

from conformance.adapters.domain import Options, Wider
from conformance.adapters.framework_class import FrameworkClass
from conformance.adapters.framework_layers import Key, Prepared, build_layer, build_wide_layer
from conformance.adapters.protocols import Config
from conformance.adapters.pure import PureLayer
from conformance.adapters.wide import WideLayer

_OWN = FrameworkClass(make=linen.BatchNorm, keywords={"momentum": "momentum", "eps": "epsilon"})
_WIDER = Wider(axis="axis", dtype="dtype", mask="mask", axis_name="axis_name")


def build(config: Config) -> PureLayer:
    """Return the layer with its default options, among them ``use_fast_variance=True``."""
    return build_layer(prepare, _OWN, config)


def build_wide(config: Config, options: Options) -> WideLayer:
    """Return the same layer with a feature axis, a dtype and a named axis."""
    return build_wide_layer(prepare, _OWN, _WIDER, config, options)


def prepare(described: FrameworkClass, key: Key) -> Prepared:
    """Construct a module, which is initialized on zeros in evaluation."""

    def bind(keywords: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        to_constructor, to_call = described.split_flag(keywords)
        return described.make(**dict(key), **to_constructor), to_call

    def initialize(seed: int, shape: tuple[int, ...]) -> Any:
        def init(x: Any, **keywords: Any) -> tuple[Any, Any]:
            module, to_call = bind(keywords)
            return x, module.init(jax.random.key(seed), x, **to_call)

        return described.call(init, jnp.zeros(shape), True)[1]

    def call(tree: Any, x: Any, flag: Any, **more: Any) -> tuple[Any, Any]:
        def apply(x: Any, **keywords: Any) -> tuple[Any, Any]:
            module, to_call = bind(keywords)
            collections = [name for name in tree if name != "params"]
            y, updated = module.apply(tree, x, **to_call, mutable=collections)
            return y, {**tree, **updated}

        return described.call(apply, x, flag, **more)

    return Prepared(initialize, call)


def build_class(described: FrameworkClass, config: Config) -> PureLayer:
    """Return a layer of a class."""
    return build_layer(prepare, described, config)
