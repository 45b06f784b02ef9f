"""Experiments on a module: what a call returns and which of its arrays it changes.

A call runs as a compiled function of the arrays, because that costs a tenth of one that runs
operation by operation; shapes are tried without any computation. A module that JAX cannot trace is
copied and called as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from conformance.adapters.array_parts import (
    Key,
    keys_of,
    name_of_part,
    replace_part,
    split_part,
    take_part,
)
from conformance.adapters.calling import Calling

Values = Mapping[str, np.ndarray]

_UNTRACEABLE = (
    jax.errors.JAXTypeError,
    jax.errors.JAXIndexError,
    jax.errors.UnexpectedTracerError,
)


class Result(NamedTuple):
    """What a call returned and left: arrays, or their shapes and dtypes from a trial."""

    y: Any
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One of several arrays that an attribute holds.

    Attributes:
        holder: The Variable, or the bare array.
        key: Which part.
    """

    holder: Any
    key: Key


def find_holders(module: Any, stacked: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the Variables and bare arrays of a module by dotted path, the outer ones first.

    Args:
        module: The module.
        stacked: The arrays whose rows are arrays of their own.

    Returns:
        Variables, arrays, and a ``Part`` for each array in one that holds several.
    """
    found: dict[str, Any] = {}
    for path, holder in _find_whole(module).items():
        value = value_of(holder)
        keys = keys_of(value) if path in stacked or not hasattr(value, "shape") else ()
        parts = {name_of_part(path, key): Part(holder, (key,)) for key in keys}
        found |= parts or {path: holder}
    return found


def _find_whole(module: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    seen: set[int] = {id(module)}
    queue = [("", module)]
    while queue:
        prefix, node = queue.pop(0)
        for name, value in list(vars(node).items()):
            path = f"{prefix}{name}"
            if not isinstance(name, str) or name.startswith("_pytree__") or id(value) in seen:
                continue
            if isinstance(value, nnx.Variable):
                if isinstance(value, nnx.RngState) or not _holds_arrays(value.get_value()):
                    continue
                found[path] = value
            elif isinstance(value, jax.Array | np.ndarray):
                found[path] = value
            elif isinstance(value, nnx.Pytree) and not isinstance(value, nnx.Rngs | nnx.RngStream):
                queue.append((f"{path}.", value))
            else:
                continue
            seen.add(id(value))
    return found


def _holds_arrays(value: Any) -> bool:
    """Whether a value is an array, or a dictionary or tuple of nothing else."""
    if isinstance(value, dict):
        named = all(isinstance(key, str) and key.isidentifier() for key in value)
        return named and _holds_arrays(tuple(value.values()))
    if isinstance(value, tuple):
        return bool(value) and all(hasattr(each, "shape") for each in value)
    return hasattr(value, "shape")


def find_attribute(module: Any, path: str) -> Any:
    """Return an attribute by dotted path, or None; of a part, that which holds it."""
    for part in split_part(path)[0].split("."):
        module = getattr(module, part, None)
    return module


def value_of(holder: Any) -> Any:
    """Return the array in a Variable, the bare array, or a part of one."""
    if isinstance(holder, Part):
        return take_part(value_of(holder.holder), holder.key)
    return holder.get_value() if isinstance(holder, nnx.Variable) else holder


def _write(module: Any, values: Mapping[str, Any]) -> None:
    for path, value in values.items():
        attribute, key = split_part(path)
        owner_path, _, name = attribute.rpartition(".")
        owner = find_attribute(module, owner_path) if owner_path else module
        holder = getattr(owner, name)
        held = value_of(holder)
        old = take_part(held, key)
        new = replace_part(held, key, jnp.asarray(value, old.dtype).reshape(old.shape))
        if isinstance(holder, nnx.Variable):
            holder.set_value(new)
        else:
            setattr(owner, name, new)


@dataclass(frozen=True)
class Specimen:
    """A module to experiment on; it stays as it is.

    Attributes:
        module: The module.
        renew: Returns another one like it.
        stacked: The arrays whose rows are arrays of their own.
    """

    module: Any
    renew: Callable[[], Any]
    stacked: frozenset[str] = frozenset()
    _programs: dict[Any, Any] = field(default_factory=dict, repr=False)
    _untraceable: list[str] = field(default_factory=list, repr=False)

    def holders(self) -> dict[str, Any]:
        """Return the Variables and bare arrays, and parts of them, by dotted path."""
        return find_holders(self.module, self.stacked)

    def try_shape(
        self, calling: Calling, shape: tuple[int, ...], *, evaluate: bool, **more: Any
    ) -> Result:
        """Call the module without computing anything, if it can be traced.

        Args:
            calling: How it is called.
            shape: The shape of the input, in the module's own layout.
            evaluate: The mode.
            **more: Further arguments of the call.

        Raises:
            Exception: Whatever the call raises.
        """
        call = self._function(calling, evaluate=evaluate)
        x = jax.ShapeDtypeStruct(shape, np.float32)
        try:
            return Result(*jax.eval_shape(call, self._state, {}, x, more))
        except _UNTRACEABLE:
            return self._call_eagerly(calling, np.ones(shape, np.float32), evaluate, {}, more)

    def refuses_numpy(self, calling: Calling, shape: tuple[int, ...], *, evaluate: bool) -> bool:
        """Whether a call that takes a JAX array of this shape raises for one of NumPy."""
        call, x = self._function(calling, evaluate=evaluate), np.ones(shape, np.float32)
        try:
            jax.eval_shape(lambda state: call(state, {}, x, {}), self._state)
        except Exception:  # noqa: BLE001  a call may raise anything
            return True
        return False

    def run(
        self,
        calling: Calling,
        x: np.ndarray,
        *,
        evaluate: bool,
        values: Values | None = None,
        **more: Any,
    ) -> Result:
        """Call the module.

        Args:
            calling: How it is called.
            x: The input, in the module's own layout.
            evaluate: The mode.
            values: Arrays to write first, by dotted path.
            **more: Further arguments of the call.

        Returns:
            y, and all arrays afterwards by dotted path, as NumPy.

        Raises:
            Exception: Whatever the call raises.
        """
        key = (calling, evaluate)
        if key not in self._programs:
            self._programs[key] = jax.jit(self._function(calling, evaluate=evaluate))
        try:
            result = Result(*self._programs[key](self._state, dict(values or {}), x, more))
        except _UNTRACEABLE:
            result = self._call_eagerly(calling, x, evaluate, values or {}, more)
        return Result(np.asarray(result.y), {p: np.asarray(v) for p, v in result.after.items()})

    def carries_gradient(self, calling: Calling, x: np.ndarray, path: str) -> bool:
        """Whether an array that a training call updates depends on x for reverse mode.

        Args:
            calling: How the module is called.
            x: The input, in the module's own layout.
            path: The array.

        Raises:
            Exception: Whatever the call raises, or JAX if it cannot trace it.
        """
        call = self._function(calling, evaluate=False)

        def updated(state: Any, x: Any) -> Any:
            return jnp.sum(call(state, {}, x, {})[1][path])

        return bool(np.any(jax.jit(jax.grad(updated, argnums=1))(self._state, x)))

    @property
    def is_traceable(self) -> bool:
        """Whether no call so far had to run operation by operation."""
        return not self._untraceable

    @property
    def _state(self) -> Any:
        return nnx.state(self.module)

    def _function(self, calling: Calling, *, evaluate: bool) -> Callable[..., Any]:
        graphdef = nnx.graphdef(self.module)

        def call(
            state: Any, values: Values, x: Any, more: Mapping[str, Any]
        ) -> tuple[Any, dict[str, Any]]:
            anew = jax.tree.map(lambda leaf: leaf, state)  # Variables of this trace, to be written
            copy = nnx.merge(graphdef, anew)
            return self._call(copy, calling, x, evaluate, values, more)

        return call

    def _call_eagerly(
        self, calling: Calling, x: Any, evaluate: bool, values: Values, more: Mapping[str, Any]
    ) -> Result:
        self._untraceable.append("a call")
        return Result(*self._call(self.renew(), calling, jnp.asarray(x), evaluate, values, more))

    def _call(
        self,
        module: Any,
        calling: Calling,
        x: Any,
        evaluate: bool,
        values: Values,
        more: Mapping[str, Any],
    ) -> tuple[Any, dict[str, Any]]:
        _write(module, values)
        y = calling.native(module, x, evaluate, **more)
        if not hasattr(y, "shape"):
            kind = type(y).__name__
            msg = f"a call returned a {kind}, not an array: "
            msg += "name a subclass whose call returns y alone"
            raise TypeError(msg)
        holders = find_holders(module, self.stacked)
        return y, {path: value_of(holder) for path, holder in holders.items()}
