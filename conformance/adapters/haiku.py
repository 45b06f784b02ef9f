"""Drives classes of Haiku, among them its own BatchNorm, whose averages are zero-debiased sums."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.calling import Calling
from conformance.adapters.domain import Options, Wider
from conformance.adapters.framework_class import FrameworkClass
from conformance.adapters.framework_layers import (
    Key,
    Prepared,
    build_layer,
    build_wide_layer,
    prepare_for,
)
from conformance.adapters.protocols import ARRAYS, COUNT, MANY, Config
from conformance.adapters.pure import PureLayer
from conformance.adapters.summed import SUMS, SummedLayer, use_averages_as_sums
from conformance.adapters.synonyms import role_of
from conformance.adapters.wide import MaskedPure, WideLayer

_OWN = FrameworkClass(
    make=hk.BatchNorm,
    keywords={"momentum": "decay_rate", "eps": "eps"},
    calling=Calling(flag="is_training", inverted=True),
    arguments={"create_scale": True, "create_offset": True},
)
_WIDER = Wider(axis_name="cross_replica_axis")


def build(config: Config) -> PureLayer:
    """Return a layer with gamma and beta.

    Until it is trained, a layer of Haiku evaluates with the statistics of the batch on which it
    was initialized, which changes neither its counter nor its sums.
    """
    return build_class(_OWN, config)


def build_wide(config: Config, options: Options) -> WideLayer:
    """Return the same layer with a cross-replica axis, for inputs of any rank.

    Its arrays have the dtype of the options, like those of a layer that is initialized on such a
    batch. The layer starts with ``MANY`` updates, so that sums equal averages.
    """
    layer = build_wide_layer(prepare, _with_sums(_OWN), _WIDER, config, options)
    arrays = {name: layer.arrays[name].astype(options.dtype or "float32") for name in ARRAYS}
    arrays |= {"running_var": jnp.ones_like(arrays["running_var"]), COUNT: jnp.array(MANY)}
    return WideLayer(_wide(layer.pure), {**layer.arrays, **arrays})


@cache
def _wide(pure: MaskedPure) -> MaskedPure:
    return use_averages_as_sums(lambda arrays, x, flag: pure(arrays, x, flag, None))


def build_class(described: FrameworkClass, config: Config) -> PureLayer:
    """Return a layer of a class, with its sums if it has the moving averages of Haiku."""
    named = _with_sums(described)
    layer = build_layer(prepare, named, config)
    if COUNT not in named.names:
        return layer
    return SummedLayer(layer.pure, layer.arrays, partial(_share, _decay(named, config.momentum)))


@cache
def _with_sums(described: FrameworkClass) -> FrameworkClass:
    """Return a class with the names of the sums and the counter behind its averages."""
    state = prepare_for(prepare, described, Config(features=1)).initialize(0, (1, 1))
    names = dict(described.names)
    for path, entries in state["state"].items():
        module = path.rpartition("/")[2]
        role = role_of(module)
        if role in SUMS and {"average", "hidden", "counter"} <= entries.keys():
            names |= {role: f"{module}.average", SUMS[role]: f"{module}.hidden"}
            names[COUNT] = f"{module}.counter"
    return replace(described, names=names)


@cache
def _decay(described: FrameworkClass, momentum: float) -> float:
    """Return the weight of the old value in a sum; 0 for averages that are not zero-debiased."""
    layer = build_layer(prepare, described, Config(features=1, momentum=momentum))
    layer(jnp.ones((2, 1)), False)
    share = layer.arrays[SUMS["running_mean"]] / layer.arrays["running_mean"]
    given = float(np.float32(momentum))
    measured = 1 - float(share[0])
    return given if abs(given - measured) < 1e-6 else measured


def _share(decay: float, count: Any) -> Any:
    """Return the divisor of a sum after t updates, as the module computes it."""
    with np.errstate(over="ignore"):  # a power of a momentum above 1 overflows
        return jnp.float32(1 - np.float64(decay) ** int(count))


def prepare(described: FrameworkClass, key: Key) -> Prepared:
    """Construct a module, which is initialized in training on a batch of mean 0 and variance 1.

    It is initialized without a named axis, which is unbound then, and on which no array depends.
    """

    def run(arguments: dict[str, Any], x: Any, keywords: dict[str, Any]) -> Any:
        to_constructor, to_call = described.split_flag(keywords)
        return described.make(**arguments, **to_constructor)(x, **to_call)

    whole = dict(key)
    alone = {name: value for name, value in key if name != _WIDER.axis_name}
    transformed = hk.transform_with_state(run)

    def initialize(seed: int, shape: tuple[int, ...]) -> Any:
        def init(x: Any, **keywords: Any) -> tuple[Any, Any]:
            return x, transformed.init(jax.random.key(seed), alone, x, keywords)

        rows = jnp.concatenate([jnp.full(shape, -1.0), jnp.ones(shape)])
        params, state = described.call(init, rows, False)[1]
        return {"params": params, "state": state}

    def call(tree: Any, x: Any, flag: Any, **more: Any) -> tuple[Any, Any]:
        def apply(x: Any, **keywords: Any) -> tuple[Any, Any]:
            before = _count_alike(tree["state"], described.names.get(COUNT))
            y, state = transformed.apply(tree["params"], before, None, whole, x, keywords)
            return y, state

        y, state = described.call(apply, x, flag, **more)
        return y, {**tree, "state": state}

    return Prepared(initialize, call)


def _count_alike(state: Any, name: str | None) -> Any:
    """Return a state in which both averages have the count that the suite writes."""
    if name is None:
        return state
    module = name.removesuffix(".counter")
    count = next(s["counter"] for path, s in state.items() if path.rpartition("/")[2] == module)
    counter = jnp.asarray(count, jnp.int32)
    return {
        path: {**entries, "counter": counter} if "counter" in entries else entries
        for path, entries in state.items()
    }
