"""Differentiates a call of an NNX layer, as a pure function of gamma, beta and x."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx

from conformance.adapters.device_put import put_on_device
from conformance.adapters.nnx import Access, NnxLayer
from conformance.adapters.protocols import STATISTICS
from conformance.adapters.tangents import (
    derive_along,
    derive_gradient,
    derive_linearly,
)

Pullback = Callable[[Any], tuple[Any, Any, Any]]
"""Maps a cotangent of y, (N, D), to the gradients with respect to gamma, beta and x."""


class NnxProgram(NamedTuple):
    """A layer without its arrays, and the mode: the key of compiled programs."""

    graphdef: Any
    access: Access
    evaluate: bool


@dataclass(frozen=True, slots=True)
class NnxCall:
    """A call on x, (N, D), at given arrays, ready to be differentiated."""

    program: NnxProgram
    leaves: Any
    gamma: Any
    beta: Any
    x: Any

    @classmethod
    def of(cls, layer: NnxLayer, x: Any, *, evaluate: bool) -> NnxCall:
        """Return the call of a layer at its current arrays, without making it.

        Args:
            layer: The layer.
            x: The input, (N, D).
            evaluate: Whether it is an evaluation call.
        """
        graphdef, leaves = nnx.split(layer.module)
        arrays = layer.read()
        program = NnxProgram(graphdef, layer.access, evaluate)
        return cls(program, leaves, arrays["gamma"], arrays["beta"], *put_on_device(x))

    def output(self, x: Any) -> Any:
        """Return y for another input, (N, D)."""
        return _output(self.program, self.leaves, self.gamma, self.beta, x)

    def gradients(self, w: Any) -> tuple[Any, Any, Any]:
        """Return the gradients of Σ w·y, w (N, D): with respect to gamma, beta and x."""
        arrays = (self.leaves, self.gamma, self.beta)
        of_gamma, of_beta, of_x = _gradients(self.program, *arrays, self.x, w)
        return of_gamma, of_beta, of_x

    def pullback(self) -> Pullback:
        """Run the forward pass, operation by operation, and return the backward pass."""
        call = partial(_output, self.program, self.leaves)
        y, pullback = jax.vjp(call, self.gamma, self.beta, self.x)
        return lambda w: pullback(jnp.asarray(put_on_device(w)[0], y.dtype))

    def through_statistics(self, of_mean: Any, of_var: Any) -> Any:
        """Return the gradient of Σ of_mean·rm' + Σ of_var·rv' with respect to x, (N, D).

        Args:
            of_mean: The cotangent of the running mean after the call, (D,).
            of_var: The cotangent of the running variance after the call, (D,).
        """
        arrays = (self.leaves, self.gamma, self.beta)
        return _gradient_through_statistics(self.program, *arrays, self.x, (of_mean, of_var))

    def move_along(self, along: tuple[Any, Any, Any]) -> Any:
        return _moved(self.program, self.leaves, self._primals, along)

    def move_linearly(self, several: Sequence[tuple[Any, Any, Any]]) -> list[Any]:
        return list(_moved_linearly(self.program, self.leaves, self._primals, several))

    def differentiate_gradient(self, w: Any, t: Any, *, forward_mode: bool) -> tuple[Any, Any, Any]:
        arguments = self.program, forward_mode, self.leaves, self._primals, w, t
        of_gamma, of_x, of_w = _twice_differentiated(*arguments)
        return of_gamma, of_x, of_w

    @property
    def _primals(self) -> tuple[Any, Any, Any]:
        return self.gamma, self.beta, self.x


def _call(
    program: NnxProgram, leaves: Any, gamma: Any, beta: Any, x: Any
) -> tuple[Any, tuple[Any, ...]]:
    """Return y and the running statistics after the call."""
    copied = jax.tree.map(lambda leaf: leaf, leaves)  # Variables of this trace, writable in it
    layer = NnxLayer(nnx.merge(program.graphdef, copied), program.access)
    layer.write({"gamma": gamma, "beta": beta})
    y = layer(x, program.evaluate)
    after = layer.read()
    return y, tuple(after[name] for name in STATISTICS)


def _output(program: NnxProgram, leaves: Any, gamma: Any, beta: Any, x: Any) -> Any:
    return _call(program, leaves, gamma, beta, x)[0]


@partial(jax.jit, static_argnums=0)
def _gradients(program: NnxProgram, leaves: Any, gamma: Any, beta: Any, x: Any, w: Any) -> Any:
    y, pullback = jax.vjp(partial(_output, program, leaves), gamma, beta, x)
    return pullback(jnp.asarray(w, y.dtype))


@partial(jax.jit, static_argnums=0)
def _moved(program: NnxProgram, leaves: Any, primals: Any, along: Any) -> Any:
    return derive_along(partial(_output, program, leaves), primals, along)


@partial(jax.jit, static_argnums=0)
def _moved_linearly(program: NnxProgram, leaves: Any, primals: Any, several: Any) -> Any:
    return derive_linearly(partial(_output, program, leaves), primals, several)


@partial(jax.jit, static_argnums=(0, 1))
def _twice_differentiated(
    program: NnxProgram, forward_mode: bool, leaves: Any, primals: Any, w: Any, t: Any
) -> Any:
    output = partial(_output, program, leaves)
    return derive_gradient(output, primals, w, t, forward_mode=forward_mode)


@partial(jax.jit, static_argnums=0)
def _gradient_through_statistics(
    program: NnxProgram, leaves: Any, gamma: Any, beta: Any, x: Any, cotangents: Any
) -> Any:
    def statistics(x: Any) -> tuple[Any, ...]:
        return _call(program, leaves, gamma, beta, x)[1]

    after, pullback = jax.vjp(statistics, x)
    weights = (jnp.asarray(w, a.dtype) for w, a in zip(cotangents, after, strict=True))
    return pullback(tuple(weights))[0]
