"""Drives ``flax.linen.BatchNorm``."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen

from conformance.adapters.domain import Options
from conformance.adapters.protocols import Config
from conformance.adapters.pure import Arrays, Pure, PureLayer
from conformance.adapters.wide import MaskedPure, WideLayer


def build(config: Config) -> PureLayer:
    """Return the layer with its default options, among them ``use_fast_variance=True``."""
    return PureLayer(_pure(config.momentum, config.eps), _init_arrays(config))


def build_wide(config: Config, options: Options) -> WideLayer:
    """Return the same layer with a feature axis, a dtype and a named axis."""
    return WideLayer(_masked(config.momentum, config.eps, options), _init_arrays(config))


def _init_arrays(config: Config) -> Arrays:
    module, x = _make_module(config.momentum, config.eps), jnp.zeros((1, config.features))
    return _to_arrays(module.init(jax.random.key(config.seed), x, use_running_average=True))


def _make_module(momentum: float, eps: float, **options: Any) -> Any:
    return linen.BatchNorm(momentum=momentum, epsilon=eps, **options)


def _to_arrays(variables: Any) -> Arrays:
    return {
        "gamma": variables["params"]["scale"],
        "beta": variables["params"]["bias"],
        "running_mean": variables["batch_stats"]["mean"],
        "running_var": variables["batch_stats"]["var"],
    }


@cache
def _pure(momentum: float, eps: float) -> Pure:
    module = _make_module(momentum, eps)

    def pure(arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        return _apply(module, arrays, x, use_running_average)

    return pure


@cache
def _masked(momentum: float, eps: float, options: Options) -> MaskedPure:
    module = _make_module(
        momentum, eps, **{k: v for k, v in asdict(options).items() if v is not None}
    )

    def masked(arrays: Arrays, x: Any, use_running_average: Any, mask: Any) -> tuple[Any, Arrays]:
        return _apply(module, arrays, x, use_running_average, mask)

    return masked


def _apply(
    module: Any, arrays: Arrays, x: Any, use_running_average: Any, mask: Any = None
) -> tuple[Any, Arrays]:
    params = {"scale": arrays["gamma"], "bias": arrays["beta"]}
    statistics = {"mean": arrays["running_mean"], "var": arrays["running_var"]}
    y, updated = module.apply(
        {"params": params, "batch_stats": statistics},
        x,
        use_running_average=use_running_average,
        mask=mask,
        mutable=["batch_stats"],
    )
    return y, _to_arrays({"params": params, "batch_stats": statistics} | updated)
