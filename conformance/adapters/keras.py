"""Drives ``keras.layers.BatchNormalization`` on Keras' JAX backend."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cache, partial
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras

from conformance.adapters.domain import Options
from conformance.adapters.errors import AdapterError
from conformance.adapters.protocols import ARRAYS, Config
from conformance.adapters.pure import Arrays, Pure, PureLayer
from conformance.adapters.wide import MaskedPure, WideLayer

if keras.backend.backend() != "jax":
    msg = (
        f"Keras uses the backend {keras.backend.backend()!r}: set KERAS_BACKEND=jax before "
        "Keras is imported."
    )
    raise AdapterError(msg)


def build(config: Config) -> PureLayer:
    """Return the layer with the given momentum and epsilon, built for D features."""
    layer = _build_layer(config, Options(), 2)
    return PureLayer(_pure(replace(config, seed=0)), _to_arrays(layer))


def build_wide(config: Config, options: Options) -> WideLayer:
    """Return the same layer with a feature axis and a dtype, for inputs of any rank."""
    masked = _masked(replace(config, seed=0), options)
    return WideLayer(masked, _to_arrays(_build_layer(config, options, _LARGEST_RANK)))


_LARGEST_RANK = 5
"""Arrays are the same for every rank, and the largest rank has every feature axis."""


def _to_arrays(layer: Any) -> Arrays:
    variables = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    return {name: variable.value for name, variable in zip(ARRAYS, variables, strict=True)}


def _build_layer(config: Config, options: Options, rank: int) -> Any:
    axis = -1 if options.axis is None else options.axis
    layer = keras.layers.BatchNormalization(
        axis, momentum=config.momentum, epsilon=config.eps, dtype=options.dtype
    )
    shape: list[int | None] = [None] * rank
    shape[axis] = config.features
    with jax.ensure_compile_time_eval():  # the arrays of a new layer are not part of a trace
        layer.build(tuple(shape))
    return layer


@cache
def _pure(config: Config) -> Pure:
    masked = _masked(config, Options())

    def pure(arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        return masked(arrays, x, use_running_average, None)

    return pure


@cache
def _masked(config: Config, options: Options) -> MaskedPure:
    build_for_rank = cache(partial(_build_layer, config, options))

    def masked(arrays: Arrays, x: Any, use_running_average: Any, mask: Any) -> tuple[Any, Arrays]:
        gamma, beta, mean, var = (arrays[name] for name in ARRAYS)
        y, (mean, var) = build_for_rank(x.ndim).stateless_call(
            [gamma, beta], [mean, var], x, training=not use_running_average, mask=mask
        )
        return y, {**arrays, "running_mean": mean, "running_var": var}

    return masked
