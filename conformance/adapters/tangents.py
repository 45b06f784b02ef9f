"""Forward mode and second derivatives of an output as a function of gamma, beta and x."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

Output = Callable[[Any, Any, Any], Any]
"""y, (N, D), of gamma, beta, (D,), and x, (N, D)."""

Primals = tuple[Any, Any, Any]
"""gamma, beta and x, or a tangent of each."""


def derive_along(output: Output, primals: Primals, along: Primals) -> Any:
    """Return the derivative of y along a tangent, by ``jax.jvp``."""
    return jax.jvp(output, primals, _alike(primals, along))[1]


def derive_linearly(output: Output, primals: Primals, several: Sequence[Primals]) -> list[Any]:
    """Return the derivatives of y along tangents, by one map of ``jax.linearize``."""
    linear = jax.linearize(output, *primals)[1]
    return [linear(*_alike(primals, along)) for along in several]


def derive_gradient(
    output: Output, primals: Primals, w: Any, t: Any, *, forward_mode: bool
) -> tuple[Any, Any, Any]:
    """Return the derivatives of Σ t·dx, where dx is that of Σ w·y, for gamma, x and w.

    Args:
        output: y of gamma, beta and x.
        primals: gamma, beta and x.
        w: The cotangent of y, (N, D).
        t: The cotangent of dx, or the tangent of x, (N, D).
        forward_mode: Whether the gradient is differentiated by ``jax.jvp`` along t, which is the
            same by the symmetry of second derivatives, or by ``jax.grad``.
    """
    gamma, beta, x = primals

    def gradients(gamma: Any, x: Any, w: Any) -> tuple[Any, Any, Any]:
        y, pullback = jax.vjp(lambda gamma, x: output(gamma, beta, x), gamma, x)
        of_gamma, of_x = pullback(jnp.asarray(w, y.dtype))
        return of_gamma, of_x, y

    if forward_mode:
        t = jnp.asarray(t, x.dtype)
        of_gamma, of_x, of_w = jax.jvp(lambda x: gradients(gamma, x, w), (x,), (t,))[1]
        return of_gamma, of_x, of_w

    def pulled(gamma: Any, x: Any, w: Any) -> Any:
        return jnp.sum(gradients(gamma, x, w)[1] * t)

    of_gamma, of_x, of_w = jax.grad(pulled, argnums=(0, 1, 2))(gamma, x, jnp.asarray(w))
    return of_gamma, of_x, of_w


def _alike(primals: Primals, along: Primals) -> tuple[Any, ...]:
    pairs = zip(primals, along, strict=True)
    return tuple(jnp.asarray(tangent, jnp.asarray(primal).dtype) for primal, tangent in pairs)
