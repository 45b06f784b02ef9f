"""Drives pure functions: x, arrays or trees of them, and the mode in; y and new statistics out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.annotations import hints_of
from conformance.adapters.errors import AdapterError, describe
from conformance.adapters.function_results import read_result
from conformance.adapters.function_signature import Signature
from conformance.adapters.protocols import ARRAYS, PARAMETERS, STATISTICS, Config
from conformance.adapters.pure import PureLayer
from conformance.adapters.synonyms import PARAMETER_TREES, find_name, role_of
from conformance.adapters.trees import TreePure, locate, name_of

Keys = Mapping[str, Mapping[str | int, str]]
"""By argument: the names in ``ARRAYS`` of a dict's entries, by key, or of a tuple's, by index."""


@dataclass(frozen=True, slots=True, eq=False)
class FunctionLayers:
    """A function, and how its arrays are made.

    Attributes:
        signature: The function and its names.
        keys: The entries of its trees, unless there is a function that makes these.
        shape: The shape of an array, with -1 for D.
        with_numpy: The function takes arrays of NumPy, and JAX cannot trace it.
    """

    signature: Signature
    keys: Keys = field(default_factory=dict)
    shape: tuple[int, ...] = (-1,)
    with_numpy: bool = False

    def build(self, config: Config) -> PureLayer:
        """Return a layer."""
        pure = _pure(self, config.features, config.momentum, config.eps)
        tree = self.initialize(config.features)
        return PureLayer(pure, pure.places.begin(tree, config.features), pure.places.absent)

    def initialize(self, features: int) -> dict[str, Any]:
        """Return new arrays and trees, by argument."""
        shape = tuple(features if size == -1 else size for size in self.shape)
        make = {role: partial(jnp.full, shape, float(role in _ONES)) for role in ARRAYS}
        new: dict[str, Any] = {own: make[role]() for role, own in self.signature.arrays.items()}
        if self.signature.initialize is not None:
            return new | dict(self.signature.initialize(features))
        for argument, keys in self.keys.items():
            entries = {key: make[role]() for key, role in keys.items()}
            named = _named_tuple(self.signature, argument)
            make_tree = tuple if 0 in entries else dict if named is None else named._make
            new[argument] = make_tree(entries if make_tree is dict else entries.values())
        return new

    @property
    def names(self) -> dict[str, str | None]:
        """The paths of the four arrays in a tree, as far as they are known."""
        own: dict[str, str | None] = dict.fromkeys(ARRAYS)
        own |= self.signature.arrays
        if self.signature.initialize is not None:
            own |= self.signature.entries
        for argument, keys in self.keys.items():
            own |= {role: f"{argument}.{key}" for key, role in keys.items()}
        return own

    def call(self, config: Config, tree: Any, x: Any, flag: Any) -> tuple[Any, Any]:
        """Call the function; return y, (N, D), and the tree with the new statistics."""
        signature, layout = self.signature, self.signature.calling.layout
        convert = np.array if self.with_numpy else jnp.asarray
        tree = jax.tree.map(convert, tree)

        def bound(x: Any, **keywords: Any) -> Any:
            return signature.invoke({signature.x: x, **tree, **keywords}, config)

        native = convert(layout.spread(x))
        result = signature.calling.native(bound, native, flag)
        y, after = read_result(result, native.shape, config.features, signature.returns)
        roles = {path: role for role, path in self.names.items() if path}

        def update(path: Any, before: Any) -> Any:  # which the function may have replaced in a dict
            name = name_of(path)
            known = roles.get(name) or role_of(name.rpartition(".")[2])
            return after.get(known or name.rpartition(".")[2], before)

        return layout.gather(y, x, native), jax.tree_util.tree_map_with_path(update, tree)


def _named_tuple(signature: Signature, argument: str) -> Any:
    """Return the named tuple that an argument is annotated as, if it is one."""
    annotated = hints_of(signature.function).get(argument)
    return annotated if hasattr(annotated, "_fields") else None


_ONES = {"gamma", "running_var"}


@cache
def _pure(layers: FunctionLayers, features: int, momentum: float, eps: float) -> TreePure:
    config = Config(features=features, momentum=momentum, eps=eps)
    with jax.ensure_compile_time_eval():
        places = locate(layers.initialize(features), layers.names, features)
    return TreePure(partial(layers.call, config), places)


def discover(line: str, signature: Signature) -> FunctionLayers:
    """Find out what the entries of a function's trees are, and which shape its arrays have.

    Raises:
        AdapterError: No way of calling it works.
    """
    errors: list[str] = []
    for candidate in _candidates(signature):
        try:
            found = _fill_keys(candidate)
            _try(found)
        except Exception as error:  # noqa: BLE001  third-party code, and another way may work
            errors.append(describe(error))
        else:
            return found
    msg = f"{line}: a call of the function failed: {errors[0]}. Name its arguments in this line"
    raise AdapterError(f"{msg}, or give initialize=…, a function of D that returns its trees.")


def _candidates(signature: Signature) -> Iterator[FunctionLayers]:
    layout = signature.calling.layout
    ones = (1,) * (layout.ndim - 2)
    native = (1, -1, *ones) if layout.first else (1, *ones, -1)
    for with_numpy in (False, True):
        for shape in ((-1,), native):
            trees = () if signature.initialize is not None else signature.trees
            for kinds in product(*(_kinds_of_tree(signature, tree) for tree in trees)):
                keys = dict(zip(trees, kinds, strict=True))
                yield FunctionLayers(signature, keys, shape, with_numpy)


def _kinds_of_tree(signature: Signature, tree: str) -> list[dict[str | int, str]]:
    """Return what the keys of a tree may be: none yet, for a dict, or those of a tuple."""
    named = _named_tuple(signature, tree)
    if named is None:
        return [{}, dict(enumerate(_roles_in(tree, signature)))]
    return [{name: _role_of_key(name, signature) for name in named._fields}]


def _roles_in(tree: str, signature: Signature) -> tuple[str, ...]:
    """Return which arrays are looked for in a tree, by its name."""
    roles = tuple(role for role in ARRAYS if role in signature.entries)
    if len(signature.trees) == 1:
        return roles
    kind = PARAMETERS if find_name(PARAMETER_TREES, [tree]) else STATISTICS
    return tuple(role for role in roles if role in kind)


def _fill_keys(layers: FunctionLayers) -> FunctionLayers:
    """Add to the trees the keys that the function asks for, until it asks for no more."""
    for _ in range(2 * len(ARRAYS)):
        try:
            _try(layers)
        except KeyError as error:
            key = error.args[0]
            role = _role_of_key(key, layers.signature)
            trees = [tree for tree in layers.keys if role in _roles_in(tree, layers.signature)]
            if not trees or key in layers.keys[trees[0]]:
                raise
            filled = {**layers.keys[trees[0]], key: role}
            layers = replace(layers, keys={**layers.keys, trees[0]: filled})
        else:
            break
    if unused := [tree for tree, keys in layers.keys.items() if not keys]:
        raise AdapterError(f"no entry of {unused[0]!r} is used under a known name.")
    return layers


def _role_of_key(key: Any, signature: Signature) -> str:
    given = {own: role for role, own in signature.entries.items() if own}
    return str(given.get(key) or role_of(str(key)))


def _try(layers: FunctionLayers) -> None:
    """Call the function in both modes, and check what it returns.

    Raises:
        Exception: Whatever the function raises.
    """
    several_axes = layers.signature.calling.layout.ndim > 2
    rows, features = (24, 5) if several_axes else (4, 3)  # no axis has D elements
    x = np.linspace(-1, 2, rows * features, dtype=np.float32).reshape(rows, features)
    for evaluate in (True, False):
        layer = layers.build(Config(features=features))
        if not layers.with_numpy:
            _trace(layer, x, evaluate)
        layer(x, evaluate)


def _trace(layer: PureLayer, x: Any, evaluate: bool) -> None:
    """Refuse a function that turns its arguments into arrays of NumPy."""
    with suppress(jax.errors.ConcretizationTypeError):  # which a requirement judges
        jax.eval_shape(lambda arrays, x: layer.pure(arrays, x, evaluate), layer.arrays, x)
