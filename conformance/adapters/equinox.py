"""Drives ``equinox.nn.BatchNorm``: one example per lane of a ``jax.vmap`` with a named axis.

Both modes count updates. In the mode "ema" the first batch replaces the statistics. In the mode
"batch" the layer keeps sums; after t updates, evaluation uses the sums divided by 1 − momentumᵗ,
and these averages are the running statistics here.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.domain import Options
from conformance.adapters.protocols import COUNT, MANY, STATISTICS, Config
from conformance.adapters.pure import Arrays, Pure, PureLayer
from conformance.adapters.summed import SUMS, SummedLayer, use_averages_as_sums
from conformance.adapters.wide import MaskedPure, WideLayer

Mode = Literal["batch", "ema"]

_AXIS = "batch"


def build(config: Config, mode: Mode) -> PureLayer:
    """Return a layer.

    Args:
        config: Features, momentum, eps and seed.
        mode: The argument ``mode`` of the module.
    """
    module, state = _make(config.features, config.momentum, config.eps, mode)
    pure = _jit_pure(config.features, config.momentum, config.eps, mode)
    index = module.batch_counter if mode == "batch" else module.ema_first_time_index
    mean, var = state.get(_statistics_index(module, mode))
    arrays = {
        "gamma": module.weight,
        "beta": module.bias,
        "running_mean": mean,
        "running_var": var,
        COUNT: _as_count(state.get(index), mode),
    }
    if mode == "ema":
        return PureLayer(pure, arrays)
    sums = {SUMS[name]: arrays[name] for name in STATISTICS}
    return SummedLayer(pure, arrays | sums, partial(_scale, config.momentum))


def build_wide(config: Config, options: Options, mode: Mode) -> WideLayer:
    """Return the same layer with a dtype and a further named axis, for inputs of any rank.

    Features are on the last axis, and are moved to where the module expects them. The layer starts
    with ``MANY`` updates, so that sums equal averages.
    """
    arguments = (config.features, config.momentum, config.eps, mode)
    module, _ = _make(*arguments, options)
    dtype = module.weight.dtype
    arrays = {
        "gamma": module.weight,
        "beta": module.bias,
        "running_mean": jnp.zeros(config.features, dtype),
        "running_var": jnp.ones(config.features, dtype),
        COUNT: jnp.array(MANY),  # weakly typed, as in the module
    }
    return WideLayer(_wide(*arguments, options), arrays)


@cache
def _wide(features: int, momentum: float, eps: float, mode: Mode, options: Options) -> MaskedPure:
    pure = _pure(features, momentum, eps, mode, options)

    def call(arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        y, after = pure(arrays, jnp.moveaxis(x, -1, 1), use_running_average)
        return jnp.moveaxis(y, 1, -1), after

    return use_averages_as_sums(call)


def _scale(momentum: float, count: Any) -> Any:
    """Return the divisor of a sum after t updates, as the module computes it in evaluation."""
    return jnp.where(count == 0, 1, 1 - momentum**count)


def _as_count(kept: Any, mode: Mode) -> Any:
    """Return the number of updates; the mode "ema" only knows whether there was one."""
    return kept if mode == "batch" else jnp.where(kept, 0, 1)


_NONE = Options()


def _make(
    features: int, momentum: float, eps: float, mode: Mode, options: Options = _NONE
) -> tuple[Any, Any]:
    axes = (_AXIS, options.axis_name) if options.axis_name else _AXIS
    module_and_state: tuple[Any, Any] = eqx.nn.make_with_state(eqx.nn.BatchNorm)(
        features, axes, eps=eps, momentum=momentum, mode=mode, dtype=options.dtype
    )
    return module_and_state


def _statistics_index(module: Any, mode: Mode) -> Any:
    return module.batch_state_index if mode == "batch" else module.ema_state_index


@cache
def _jit_pure(features: int, momentum: float, eps: float, mode: Mode) -> Pure:
    pure = _pure(features, momentum, eps, mode)
    compiled = jax.jit(pure, static_argnums=2)  # as documented; a vmap is slow without

    def call(arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        traced = isinstance(use_running_average, jax.Array | np.ndarray)
        return (pure if traced else compiled)(arrays, x, use_running_average)

    return call


@cache
def _pure(features: int, momentum: float, eps: float, mode: Mode, options: Options = _NONE) -> Pure:
    template, fresh = _make(features, momentum, eps, mode, options)
    count_index = template.batch_counter if mode == "batch" else template.ema_first_time_index
    statistics_index = _statistics_index(template, mode)
    names = tuple(SUMS.values()) if mode == "batch" else STATISTICS

    def pure(arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        parameters = (arrays["gamma"], arrays["beta"])
        module = eqx.tree_at(lambda m: (m.weight, m.bias), template, parameters)
        count = arrays[COUNT]
        counter = count if mode == "batch" else jnp.asarray(count, jnp.int32) == 0
        statistics = iter([arrays[name] for name in names])  # State.set would compare dtypes
        state = jax.tree.map(lambda leaf: next(statistics) if leaf.ndim else counter, fresh)

        def call(row: Any, state: Any) -> tuple[Any, Any]:
            out: tuple[Any, Any] = module(row, state, inference=use_running_average)
            return out

        y, state = jax.vmap(call, in_axes=(0, None), out_axes=(0, None), axis_name=_AXIS)(x, state)
        new = dict(zip(names, state.get(statistics_index), strict=True))
        after = arrays | new | {COUNT: _as_count(state.get(count_index), mode)}
        if mode == "ema":
            return y, after
        scale, no_update = _scale(momentum, after[COUNT]), after[COUNT] == arrays[COUNT]
        for name, hidden in SUMS.items():  # an average that was written and not updated stays exact
            same = no_update & (after[hidden] == arrays[hidden])
            after[name] = jnp.where(same, arrays[name], after[hidden] / scale)
        return y, after

    return pure
