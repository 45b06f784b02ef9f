"""Driving ``equinox.nn.BatchNorm``: one example per lane of a ``jax.vmap`` with a named axis.

Both modes know how old their statistics are. In the mode "ema" the first batch replaces them; in
the mode "batch" sums are kept, and what evaluation uses, and is read here, are the sums divided
by 1 − momentumᵗ after t updates.
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
    """Return a layer in the given mode."""
    module, state = _made(config.features, config.momentum, config.eps, mode)
    pure = _compiled(config.features, config.momentum, config.eps, mode)
    index = module.batch_counter if mode == "batch" else module.ema_first_time_index
    mean, var = state.get(_statistics(module, mode))
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
    """Return the same layer with a dtype and an axis to share with, for inputs of any rank.

    Its features are on the last axis, and are moved to where the module wants them; as many updates
    are behind its statistics as make sums and averages the same.
    """
    made = (config.features, config.momentum, config.eps, mode)
    module, _ = _made(*made, options)
    dtype = module.weight.dtype
    arrays = {
        "gamma": module.weight,
        "beta": module.bias,
        "running_mean": jnp.zeros(config.features, dtype),
        "running_var": jnp.ones(config.features, dtype),
        COUNT: jnp.array(MANY),  # weakly typed, as the module's own
    }
    return WideLayer(_wide(*made, options), arrays)


@cache
def _wide(features: int, momentum: float, eps: float, mode: Mode, options: Options) -> MaskedPure:
    pure = _pure(features, momentum, eps, mode, options)

    def moved(arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        y, after = pure(arrays, jnp.moveaxis(x, -1, 1), use_running_average)
        return jnp.moveaxis(y, 1, -1), after

    return use_averages_as_sums(moved)


def _scale(momentum: float, count: Any) -> Any:
    """Return what a sum is divided by, as the module computes it in evaluation."""
    return jnp.where(count == 0, 1, 1 - momentum**count)


def _as_count(kept: Any, mode: Mode) -> Any:
    """Return the number of updates; of the mode "ema" only whether there was one is known."""
    return kept if mode == "batch" else jnp.where(kept, 0, 1)


_NONE = Options()


def _made(
    features: int, momentum: float, eps: float, mode: Mode, options: Options = _NONE
) -> tuple[Any, Any]:
    axes = (_AXIS, options.axis_name) if options.axis_name else _AXIS
    made: tuple[Any, Any] = eqx.nn.make_with_state(eqx.nn.BatchNorm)(
        features, axes, eps=eps, momentum=momentum, mode=mode, dtype=options.dtype
    )
    return made


def _statistics(module: Any, mode: Mode) -> Any:
    return module.batch_state_index if mode == "batch" else module.ema_state_index


@cache
def _compiled(features: int, momentum: float, eps: float, mode: Mode) -> Pure:
    pure = _pure(features, momentum, eps, mode)
    compiled = jax.jit(pure, static_argnums=2)  # as the documentation does; a vmap is slow else

    def called(arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        traced = isinstance(use_running_average, jax.Array | np.ndarray)
        return (pure if traced else compiled)(arrays, x, use_running_average)

    return called


@cache
def _pure(features: int, momentum: float, eps: float, mode: Mode, options: Options = _NONE) -> Pure:
    made, fresh = _made(features, momentum, eps, mode, options)
    of_count = made.batch_counter if mode == "batch" else made.ema_first_time_index
    of_statistics = _statistics(made, mode)
    names = tuple(SUMS.values()) if mode == "batch" else STATISTICS

    def pure(arrays: Arrays, x: Any, use_running_average: Any) -> tuple[Any, Arrays]:
        module = eqx.tree_at(lambda m: (m.weight, m.bias), made, (arrays["gamma"], arrays["beta"]))
        count = arrays[COUNT]
        age = count if mode == "batch" else jnp.asarray(count, jnp.int32) == 0
        statistics = iter([arrays[name] for name in names])  # a State compares types when it is set
        state = jax.tree.map(lambda leaf: next(statistics) if leaf.ndim else age, fresh)

        def call(row: Any, state: Any) -> tuple[Any, Any]:
            out: tuple[Any, Any] = module(row, state, inference=use_running_average)
            return out

        y, state = jax.vmap(call, in_axes=(0, None), out_axes=(0, None), axis_name=_AXIS)(x, state)
        kept = dict(zip(names, state.get(of_statistics), strict=True))
        after = arrays | kept | {COUNT: _as_count(state.get(of_count), mode)}
        if mode == "ema":
            return y, after
        scale, still = _scale(momentum, after[COUNT]), after[COUNT] == arrays[COUNT]
        for name, own in SUMS.items():  # what was written is divided no further if it stays
            same = still & (after[own] == arrays[own])
            after[name] = jnp.where(same, arrays[name], after[own] / scale)
        return y, after

    return pure
