"""Containers and memory layouts in which a batch can be passed to a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.numerics.state import Float32


def strided_view(x: Float32) -> Float32:
    """Return x, (N, D), as a view with gaps between its rows and columns."""
    wide = np.full((2 * x.shape[0], 3 * x.shape[1]), 7.5, np.float32)
    wide[::2, ::3] = x
    return wide[::2, ::3]


def reversed_view(x: Float32) -> Float32:
    """Return x, (N, D), as a view with negative strides."""
    return x[::-1, ::-1].copy()[::-1, ::-1]


def _read_only(x: Float32) -> Float32:
    copied = x.copy()
    copied.setflags(write=False)
    return copied


def jax_array(x: Float32) -> Any:
    """Return x, (N, D), as a JAX array."""
    import jax.numpy as jnp  # noqa: PLC0415  only this container needs it

    return jnp.asarray(x)


CONTAINERS: tuple[Callable[[Float32], Any], ...] = (
    np.copy,
    np.asfortranarray,
    strided_view,
    reversed_view,
    jax_array,
    _read_only,
)
"""NumPy in C and Fortran order, views with gaps and with negative strides, JAX, read-only NumPy."""
