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
from conformance.adapters.framework_class import BATCH_AXIS, FrameworkClass, parameters_of
from conformance.adapters.framework_layers import Key, Prepared, build_layer
from conformance.adapters.protocols import COUNT, MANY, STATISTICS, Config
from conformance.adapters.pure import Arrays, Pure, PureLayer
from conformance.adapters.summed import SUMS, SummedLayer, use_averages_as_sums
from conformance.adapters.synonyms import STATE_TREES, find_name
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


def build_class(described: FrameworkClass, config: Config) -> PureLayer:
    """Return a layer of a class."""
    return build_layer(prepare, described, config)


def prepare(described: FrameworkClass, key: Key) -> Prepared:
    """Construct a module and its state.

    A module with a named axis takes one example, and is mapped over the rows; others take the
    batch. State is what ``eqx.nn.make_with_state`` finds, and the fields of a returned module.
    """
    by_example = BATCH_AXIS in dict(key).values()
    takes = find_name(STATE_TREES, parameters_of(described.make, "__call__"))

    def initialize(seed: int, shape: tuple[int, ...]) -> Any:
        del shape
        module, state = _construct(described, key, seed)
        return {"params": eqx.filter(module, eqx.is_array), "state": _state_values(state)}

    template, fresh = _construct(described, key, 0)
    static, names = eqx.filter(template, eqx.is_array, inverse=True), list(_state_values(fresh))

    def call(tree: Any, x: Any, flag: Any, **more: Any) -> tuple[Any, Any]:
        def apply(x: Any, **keywords: Any) -> tuple[Any, Any]:
            to_module, to_call = described.split_flag(keywords)

            def call_one(x: Any, tree: Any) -> tuple[Any, Any]:
                module = eqx.combine(tree["params"], static)
                for name, value in to_module.items():
                    module = _set(module, name, value)
                values = [tree["state"][name] for name in names]
                state = eqx.nn.State.tree_unflatten(names, values)
                out = module(x, **({takes: state} if takes else {}), **to_call)
                y, after = out if isinstance(out, tuple) else (out, None)
                if isinstance(after, eqx.nn.State):
                    return y, {**tree, "state": _state_values(after)}
                returned = module if after is None else after
                return y, {**tree, "params": eqx.filter(returned, eqx.is_array)}

            if not by_example:
                return call_one(x, tree)
            mapped = jax.vmap(call_one, (0, None), (0, None), axis_name=BATCH_AXIS)
            y_and_tree: tuple[Any, Any] = mapped(x, tree)
            return y_and_tree

        return described.call(apply, x, flag, **more)

    return Prepared(initialize, call)


def _construct(described: FrameworkClass, key: Key, seed: int) -> tuple[Any, Any]:
    random = {"key": jax.random.PRNGKey(seed)}
    accepted = parameters_of(described.make, "__init__")
    keywords = {name: value for name, value in random.items() if name in accepted}
    module_and_state: tuple[Any, Any] = eqx.nn.make_with_state(described.make)(
        **dict(key), **keywords
    )
    return module_and_state


def _state_values(state: Any) -> dict[str, Any]:
    """Return the entries of a state, by the paths of their indices in the module."""
    values, names = state.tree_flatten()
    return dict(zip(names, values, strict=True))


def _set(module: Any, name: str, value: Any) -> Any:
    """Return a module in a mode that is a field, in its submodules too where Equinox knows it."""
    if name == "inference":
        return eqx.nn.inference_mode(module, value)
    return eqx.tree_at(lambda module: getattr(module, name), module, value)
