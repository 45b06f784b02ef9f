"""Layers of classes whose modules store no state, from what a driver knows about its framework.

A driver is one function, ``prepare``: it constructs a module and returns how its tree of arrays is
initialized, and how it is called with such a tree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax

from conformance.adapters.domain import Options, Wider
from conformance.adapters.framework_class import FrameworkClass
from conformance.adapters.protocols import Config
from conformance.adapters.pure import Arrays, PureLayer
from conformance.adapters.trees import TreePure, locate
from conformance.adapters.wide import MaskedPure, WideLayer

Key = tuple[tuple[str, Any], ...]
"""Constructor arguments as pairs of name and value."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A module that is constructed.

    Attributes:
        initialize: Returns a new tree, from a seed and the shape of an input.
        call: ``f(tree, x, use_running_average, **more) -> (y, tree)``.
    """

    initialize: Callable[[int, tuple[int, ...]], Any]
    call: Callable[..., tuple[Any, Any]]


Prepare = Callable[[FrameworkClass, Key], Prepared]
"""Constructs a module of a class with the given arguments."""


def prepare_for(prepare: Prepare, described: FrameworkClass, config: Config) -> Prepared:
    """Construct a module of a class."""
    return prepare(described, _key(described, config))


def build_layer(prepare: Prepare, described: FrameworkClass, config: Config) -> PureLayer:
    """Return a layer of a class.

    Args:
        prepare: The driver.
        described: The class.
        config: Features, momentum, eps and seed.
    """
    key, shape = _key(described, config), (1, config.features)
    prepared, pure = _prepare_once(prepare, described, key, config.features, shape)
    tree = prepared.initialize(config.seed, shape)
    return PureLayer(pure, pure.places.begin(tree, config.features), pure.places.absent)


def build_wide_layer(
    prepare: Prepare, described: FrameworkClass, wider: Wider, config: Config, options: Options
) -> WideLayer:
    """Return a layer of the extended domain, for inputs of any number of axes.

    Args:
        prepare: The driver.
        described: The class, which takes rows.
        wider: Names of the arguments for masks, axes, dtypes and named axes.
        config: Features, momentum, eps and seed.
        options: Values of these arguments.
    """
    key = (*_key(described, config), *wider.arguments(options).items())
    axis = -1 if options.axis is None else options.axis
    shape = _shape(config.features, axis, _LARGEST_RANK)
    prepared, pure = _prepare_once(prepare, described, key, config.features, shape)
    arrays = pure.places.begin(prepared.initialize(config.seed, shape), config.features)
    return WideLayer(_wide(prepare, described, key, config.features, axis, wider.mask), arrays)


_LARGEST_RANK = 5
"""It has every feature axis, and the arrays of a layer are the same, (D,), for every rank."""


def _shape(features: int, axis: int, ndim: int) -> tuple[int, ...]:
    shape = [1] * ndim
    shape[axis] = features
    return tuple(shape)


def _key(described: FrameworkClass, config: Config) -> Key:
    named = described.arguments_for(config.features, config.momentum, config.eps)
    return tuple(named.items())


@cache
def _prepare_once(
    prepare: Prepare, described: FrameworkClass, key: Key, features: int, shape: tuple[int, ...]
) -> tuple[Prepared, TreePure]:
    """Return a module, and its call as one function for all layers alike."""
    with jax.ensure_compile_time_eval():  # the arrays of a new layer are not part of a trace
        prepared = prepare(described, key)
        places = locate(prepared.initialize(0, shape), described.names, features)
    return prepared, TreePure(prepared.call, places)


@cache
def _wide(
    prepare: Prepare, described: FrameworkClass, key: Key, features: int, axis: int, mask: str
) -> MaskedPure:
    def call(arrays: Arrays, x: Any, flag: Any, values: Any) -> tuple[Any, Arrays]:
        shape = _shape(features, axis, x.ndim)
        _, pure = _prepare_once(prepare, described, key, features, shape)
        return pure(arrays, x, flag, **({} if values is None else {mask: values}))

    return call
