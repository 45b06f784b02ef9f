"""Layers of frameworks whose modules store no state: arrays in, arrays out.

Such a layer is one pure function, which calls the framework's module, and the arrays that the
function takes and returns. Compiled programs are cached by the function, the mode and shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from conformance.adapters.protocols import ARRAYS, COUNT, MANY, PARAMETERS, STATISTICS, Layer
from conformance.adapters.tangents import (
    derive_along,
    derive_gradient,
    derive_linearly,
)

Arrays = dict[str, Any]
"""The four arrays, each (D,), by the suite's names, and further arrays of the framework."""

Pure = Callable[[Arrays, Any, Any], tuple[Any, Arrays]]
"""``f(arrays, x, use_running_average) -> (y, arrays after the call)``, without side effects."""


@dataclass(slots=True)
class PureLayer:
    """A pure function and its current arrays, in the form of ``conformance.Layer``.

    Attributes:
        pure: The function.
        arrays: The four arrays; ``COUNT`` too, if the layer counts its updates; and anything else
            that the function carries from call to call.
        absent: Those of the four arrays that the layer does not have: they stay as they are.
    """

    pure: Pure
    arrays: Arrays
    absent: frozenset[str] = frozenset()

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        y, self.arrays = self.pure(self.arrays, jnp.asarray(x), use_running_average)
        return y

    def read(self) -> Arrays:
        return {name: self.arrays[name] for name in (*ARRAYS, COUNT) if name in self.arrays}

    def write(self, values: Mapping[str, np.ndarray]) -> None:
        if COUNT in self.arrays and any(name in values for name in STATISTICS):
            values = {COUNT: np.asarray(MANY), **values}
        dtypes = {name: self.arrays[name].dtype for name in ARRAYS}
        present = {name: value for name, value in values.items() if name not in self.absent}
        written = {name: jnp.asarray(v, dtypes.get(name)) for name, v in present.items()}
        self.arrays = self.arrays | written

    def call(self, x: Any, *, evaluate: bool) -> PureCall:
        """Return the call on x, (N, D), at the current arrays, to be differentiated."""
        return PureCall(self.pure, self.arrays, jnp.asarray(x), evaluate)

    def transforms(self) -> PureTransforms:
        """Return the layer under the transforms of JAX."""
        return PureTransforms(self)


@dataclass(frozen=True, slots=True)
class PureCall:
    """A call at given arrays, ready to be differentiated with respect to gamma, beta and x."""

    pure: Pure
    arrays: Arrays
    x: Any
    evaluate: bool

    def output(self, x: Any) -> Any:
        """Return y for another input, (N, D)."""
        return self.pure(self.arrays, jnp.asarray(x), self.evaluate)[0]

    def gradients(self, w: Any) -> tuple[Any, Any, Any]:
        """Return the gradients of Σ w·y, w (N, D): with respect to gamma, beta and x."""
        of_gamma, of_beta, of_x = _gradients(self.pure, self.evaluate, self.arrays, self.x, w)
        return of_gamma, of_beta, of_x

    def pullback(self) -> Callable[[Any], tuple[Any, Any, Any]]:
        """Run the forward pass, operation by operation, and return the backward pass."""
        call = partial(_output, self.pure, self.evaluate, self.arrays)
        y, pullback = jax.vjp(call, self.arrays["gamma"], self.arrays["beta"], self.x)
        return lambda w: pullback(jnp.asarray(w, y.dtype))

    def through_statistics(self, of_mean: Any, of_var: Any) -> Any:
        """Return the gradient of Σ of_mean·rm' + Σ of_var·rv' with respect to x, (N, D).

        Args:
            of_mean: The cotangent of the running mean after the call, (D,).
            of_var: The cotangent of the running variance after the call, (D,).
        """
        return _gradient_through_statistics(self.pure, self.arrays, self.x, (of_mean, of_var))

    def move_along(self, along: tuple[Any, Any, Any]) -> Any:
        return _moved(self.pure, self.evaluate, self.arrays, self.x, along)

    def move_linearly(self, several: Sequence[tuple[Any, Any, Any]]) -> list[Any]:
        return list(_moved_linearly(self.pure, self.evaluate, self.arrays, self.x, several))

    def differentiate_gradient(self, w: Any, t: Any, *, forward_mode: bool) -> tuple[Any, Any, Any]:
        of_gamma, of_x, of_w = _twice_differentiated(
            self.pure, self.evaluate, forward_mode, self.arrays, self.x, w, t
        )
        return of_gamma, of_x, of_w


def _output(pure: Pure, evaluate: bool, arrays: Arrays, gamma: Any, beta: Any, x: Any) -> Any:
    return pure(arrays | {"gamma": gamma, "beta": beta}, x, evaluate)[0]


@partial(jax.jit, static_argnums=(0, 1))
def _gradients(pure: Pure, evaluate: bool, arrays: Arrays, x: Any, w: Any) -> Any:
    call = partial(_output, pure, evaluate, arrays)
    y, pullback = jax.vjp(call, arrays["gamma"], arrays["beta"], x)
    return pullback(jnp.asarray(w, y.dtype))


def _primals(arrays: Arrays, x: Any) -> tuple[Any, Any, Any]:
    return arrays["gamma"], arrays["beta"], x


@partial(jax.jit, static_argnums=(0, 1))
def _moved(pure: Pure, evaluate: bool, arrays: Arrays, x: Any, along: Any) -> Any:
    output = partial(_output, pure, evaluate, arrays)
    return derive_along(output, _primals(arrays, x), along)


@partial(jax.jit, static_argnums=(0, 1))
def _moved_linearly(pure: Pure, evaluate: bool, arrays: Arrays, x: Any, several: Any) -> Any:
    output = partial(_output, pure, evaluate, arrays)
    return derive_linearly(output, _primals(arrays, x), several)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _twice_differentiated(
    pure: Pure, evaluate: bool, forward_mode: bool, arrays: Arrays, x: Any, w: Any, t: Any
) -> Any:
    output, primals = partial(_output, pure, evaluate, arrays), _primals(arrays, x)
    return derive_gradient(output, primals, w, t, forward_mode=forward_mode)


@partial(jax.jit, static_argnums=0)
def _gradient_through_statistics(pure: Pure, arrays: Arrays, x: Any, cotangents: Any) -> Any:
    def statistics(x: Any) -> tuple[Any, ...]:
        after = pure(arrays, x, False)[1]
        return tuple(after[name] for name in STATISTICS)

    after, pullback = jax.vjp(statistics, x)
    weights = (jnp.asarray(w, a.dtype) for w, a in zip(cotangents, after, strict=True))
    return pullback(tuple(weights))[0]


@dataclass(frozen=True, slots=True)
class PureTransforms:
    """A pure layer under transforms; see ``conformance.adapters.protocols.Transforms``."""

    layer: PureLayer
    library: str = "jax"

    def call_jitted(self, x: Any, *, evaluate: bool) -> Any:
        y, self.layer.arrays = _jitted(self.layer.pure, self.layer.arrays, x, evaluate)
        return y

    def compile_anew(self, traced: list[bool]) -> Callable[[Any, bool], Any]:
        layer = self.layer

        def call(arrays: Arrays, x: Any, flag: bool) -> tuple[Any, Arrays]:
            traced.append(flag)
            return layer.pure(arrays, x, flag)

        program = jax.jit(call, static_argnums=2)

        def call_program(x: Any, flag: bool) -> Any:
            y, layer.arrays = program(layer.arrays, x, flag)
            return y

        return call_program

    def call_pure(self, x: Any, *, evaluate: bool) -> tuple[Any, Layer]:
        y, after = _jitted(self.layer.pure, self.layer.arrays, x, evaluate)
        return y, self._copy_with(after)

    def call_stacked(
        self, others: Sequence[Layer], xs: Any, *, evaluate: bool
    ) -> tuple[Any, Layer]:
        layers = [self.layer, *cast("Sequence[PureLayer]", others)]
        stack = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(one.arrays for one in layers))
        ys, after = _ensemble(self.layer.pure, stack, xs, evaluate)
        return ys, self._copy_with(after)

    def train_lanes(self, xs: Any) -> tuple[Any, list[Layer]]:
        ys, after = _lanes(self.layer.pure, self.layer.arrays, xs, False)
        lanes = (jax.tree.map(lambda leaf, i=i: leaf[i], after) for i in range(len(xs)))
        return ys, [self._copy_with(arrays) for arrays in lanes]

    def evaluate_lanes(self, xs: Any) -> list[Any]:
        return [_lanes(self.layer.pure, self.layer.arrays, xs, True)[0]]

    def train_scanned(self, xs: Any) -> Any:
        self.layer.arrays, ys = _scanned(self.layer.pure, self.layer.arrays, xs)
        return ys

    def differentiate_rematerialized(self, x: Any, w: Any) -> dict[str, Any]:
        gradients, self.layer.arrays = _rematerialized(self.layer.pure, self.layer.arrays, x, w)
        return dict(gradients)

    def train_twice(self, x: Any) -> Any:
        first, self.layer.arrays = _twice(self.layer.pure, self.layer.arrays, x)
        return first

    def _copy_with(self, arrays: Arrays) -> Layer:
        other = copy(self.layer)
        other.arrays = arrays
        return other


@partial(jax.jit, static_argnums=(0, 3))
def _jitted(pure: Pure, arrays: Arrays, x: Any, evaluate: bool) -> tuple[Any, Arrays]:
    return pure(arrays, x, evaluate)


@partial(jax.jit, static_argnums=(0, 3))
def _ensemble(pure: Pure, stack: Arrays, xs: Any, evaluate: bool) -> Any:
    return jax.vmap(lambda arrays, x: pure(arrays, x, evaluate))(stack, xs)


@partial(jax.jit, static_argnums=(0, 3))
def _lanes(pure: Pure, arrays: Arrays, xs: Any, evaluate: bool) -> Any:
    return jax.vmap(lambda x: pure(arrays, x, evaluate))(xs)


@partial(jax.jit, static_argnums=0)
def _scanned(pure: Pure, arrays: Arrays, xs: Any) -> Any:
    def step(arrays: Arrays, x: Any) -> tuple[Arrays, Any]:
        y, after = pure(arrays, x, False)
        return after, y

    return jax.lax.scan(step, arrays, xs)


@partial(jax.jit, static_argnums=0)
def _rematerialized(pure: Pure, arrays: Arrays, x: Any, w: Any) -> Any:
    call = jax.checkpoint(lambda arrays, x: pure(arrays, x, False))

    def loss(parameters: Arrays) -> tuple[Any, Arrays]:
        y, after = call({**arrays, **parameters}, x)
        return jnp.sum(w * y), after

    return jax.grad(loss, has_aux=True)({name: arrays[name] for name in PARAMETERS})


@partial(jax.jit, static_argnums=0)
def _twice(pure: Pure, arrays: Arrays, x: Any) -> tuple[Any, Arrays]:
    first, after = pure(arrays, x, False)
    return first, pure(after, first, False)[1]
