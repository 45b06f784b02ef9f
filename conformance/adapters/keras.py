"""Drives layer classes of Keras on its JAX backend, among them its BatchNormalization."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras

from conformance.adapters.calling import Calling
from conformance.adapters.domain import Options, Wider
from conformance.adapters.errors import AdapterError
from conformance.adapters.framework_class import FrameworkClass
from conformance.adapters.framework_layers import Key, Prepared, build_layer, build_wide_layer
from conformance.adapters.protocols import Config
from conformance.adapters.pure import PureLayer
from conformance.adapters.wide import WideLayer

if keras.backend.backend() != "jax":
    msg = (
        f"Keras uses the backend {keras.backend.backend()!r}: set KERAS_BACKEND=jax before "
        "Keras is imported."
    )
    raise AdapterError(msg)

_OWN = FrameworkClass(
    make=keras.layers.BatchNormalization,
    keywords={"momentum": "momentum", "eps": "epsilon"},
    calling=Calling(flag="training", inverted=True),
)
_WIDER = Wider(axis="axis", dtype="dtype", mask="mask")


def build(config: Config) -> PureLayer:
    """Return the layer with the given momentum and epsilon, built for D features."""
    return build_layer(prepare, _OWN, config)


def build_wide(config: Config, options: Options) -> WideLayer:
    """Return the same layer with a feature axis and a dtype, for inputs of any rank."""
    return build_wide_layer(prepare, _OWN, _WIDER, config, options)


def build_class(described: FrameworkClass, config: Config) -> PureLayer:
    """Return a layer of a class."""
    return build_layer(prepare, described, config)


def prepare(described: FrameworkClass, key: Key) -> Prepared:
    """Construct a layer for each number of axes of the input."""
    layers: dict[int, Any] = {}

    def build_new(shape: tuple[int, ...], keywords: dict[str, Any]) -> Any:
        to_constructor, to_call = described.split_flag(keywords)
        layer = described.make(**dict(key), **to_constructor)
        with jax.ensure_compile_time_eval():  # the arrays of a new layer are not part of a trace
            if getattr(type(layer), "build", None) is keras.Layer.build:
                layer(keras.KerasTensor(shape), **to_call)
            else:
                layer.build(shape)
        return layer

    def build_for(shape: tuple[int, ...], keywords: dict[str, Any]) -> Any:
        if len(shape) not in layers:
            layers[len(shape)] = build_new(shape, keywords)
        return layers[len(shape)]

    def initialize(seed: int, shape: tuple[int, ...]) -> Any:
        del seed  # that of Keras is global

        def init(x: Any, **keywords: Any) -> tuple[Any, Any]:
            template, layer = (make(x.shape, keywords) for make in (build_for, build_new))
            return x, {name: _values(template, layer, own) for name, own in _KINDS.items()}

        return described.call(init, jnp.zeros(shape), True)[1]

    def call(tree: Any, x: Any, flag: Any, **more: Any) -> tuple[Any, Any]:
        def apply(x: Any, **keywords: Any) -> tuple[Any, Any]:
            _, to_call = described.split_flag(keywords)
            layer = build_for(x.shape, keywords)
            names = {kind: _names(layer, own) for kind, own in _KINDS.items()}
            values = ([tree[kind][name] for name in names[kind]] for kind in _KINDS)
            y, others = layer.stateless_call(*values, x, **to_call)
            return y, {**tree, "state": dict(zip(names["state"], others, strict=True))}

        return described.call(apply, x, flag, **more)

    return Prepared(initialize, call)


_KINDS = {"params": "trainable_variables", "state": "non_trainable_variables"}


def _names(layer: Any, kind: str) -> list[str]:
    """Return the attributes that have a layer's variables, and the paths of those without."""
    attributes = {id(value): name for name, value in vars(layer).items()}
    return [attributes.get(id(each), each.path) for each in getattr(layer, kind)]


def _values(template: Any, layer: Any, kind: str) -> dict[str, Any]:
    """Return the values of a layer's variables by their names in a template."""
    values = [each.value for each in getattr(layer, kind)]
    return dict(zip(_names(template, kind), values, strict=True))
