"""Containers and memory layouts in which a batch can be passed to a layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from conformance.numerics.state import Float32


def _strided(x: Float32) -> Float32:
    wide = np.full((2 * x.shape[0], 3 * x.shape[1]), 7.5, np.float32)
    wide[::2, ::3] = x
    return wide[::2, ::3]


def _reversed(x: Float32) -> Float32:
    return x[::-1, ::-1].copy()[::-1, ::-1]


def _read_only(x: Float32) -> Float32:
    copied = x.copy()
    copied.setflags(write=False)
    return copied


def _jax(x: Float32) -> Any:
    import jax.numpy as jnp  # noqa: PLC0415  only this container needs it

    return jnp.asarray(x)


CONTAINERS: tuple[Callable[[Float32], Any], ...] = (
    np.copy,
    np.asfortranarray,
    _strided,
    _reversed,
    _jax,
    _read_only,
)
"""NumPy in C and Fortran order, views with gaps and with negative strides, JAX, read-only NumPy."""
