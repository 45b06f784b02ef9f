"""Driving ``keras.layers.BatchNormalization`` on Keras' JAX backend."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

from conformance.adapters.pure import Held, Pure, PureLayer
from conformance.implementation import ARRAYS, AdapterError, Config

if keras.backend.backend() != "jax":
    msg = (
        f"Keras runs on its backend {keras.backend.backend()!r}: set KERAS_BACKEND=jax before "
        "Keras is imported."
    )
    raise AdapterError(msg)


def build(config: Config) -> PureLayer:
    """Return the layer with the given momentum and epsilon, built for D features."""
    layer = _built(config.features, config.momentum, config.eps)
    held = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    pure = _pure(config.features, config.momentum, config.eps)
    return PureLayer(pure, {n: v.value for n, v in zip(ARRAYS, held, strict=True)})


def _built(features: int, momentum: float, eps: float) -> Any:
    layer = keras.layers.BatchNormalization(momentum=momentum, epsilon=eps)
    layer.build((None, features))
    return layer


@cache
def _pure(features: int, momentum: float, eps: float) -> Pure:
    layer = _built(features, momentum, eps)

    def pure(held: Held, x: Any, use_running_average: Any) -> tuple[Any, Held]:
        gamma, beta, mean, var = (held[name] for name in ARRAYS)
        y, (mean, var) = layer.stateless_call(
            [gamma, beta], [mean, var], x, training=not use_running_average
        )
        return y, {**held, "running_mean": mean, "running_var": var}

    return pure
