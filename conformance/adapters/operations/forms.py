"""The forms in which flags, seeds and batches are given to a layer, by their source text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def strided_view(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return x, (N, D), as a view with gaps between its rows and columns."""
    wide = np.full((2 * x.shape[0], 3 * x.shape[1]), 7.5, x.dtype)
    wide[::2, ::3] = x
    return wide[::2, ::3]


def reversed_view(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return x, (N, D), as a view with negative strides."""
    return x[::-1, ::-1].copy()[::-1, ::-1]


def read_only(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a copy of x, (N, D), that cannot be written to."""
    copied = x.copy()
    copied.setflags(write=False)
    return copied


def _on_device(value: Any) -> Any:
    from conformance.adapters.device_put import put_on_device  # noqa: PLC0415  imports JAX

    return put_on_device(value)[0]


def _as_jax(dtype: str) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        import jax.numpy as jnp  # noqa: PLC0415  only these forms need it

        return jnp.asarray(value, dtype)

    return convert


FORMS: dict[str, Callable[[Any], Any]] = {
    "np.copy": np.copy,
    "np.asfortranarray": np.asfortranarray,
    "strided_view": strided_view,
    "reversed_view": reversed_view,
    "jnp.asarray": _on_device,
    "read_only": read_only,
    "float": float,
    "bool": bool,
    "int": int,
    "np.bool_": np.bool_,
    "np.float32": np.float32,
    "np.float64": np.float64,
    "np.int32": np.int32,
    "np.array{}, np.float32": lambda value: np.array(value, np.float32),
    "np.array{}, np.bool_": lambda value: np.array(value, np.bool_),
    "jnp.asarray{}, jnp.float32": _as_jax("float32"),
    "jnp.asarray{}, jnp.bool_": _as_jax("bool"),
    "jnp.asarray{}, jnp.int32": _as_jax("int32"),
    "jnp.asarray{}, jnp.bfloat16": _as_jax("bfloat16"),
    "jnp.asarray{}, jnp.float16": _as_jax("float16"),
}
"""What makes a value from a number or an array; ``{}`` stands for the value after "("."""

NUMPY_FORMS: dict[str, Callable[[Any], Any]] = {
    **FORMS,
    "jnp.asarray": np.copy,
    "jnp.asarray{}, jnp.float32": lambda value: np.asarray(value, np.float32),
    "jnp.asarray{}, jnp.bool_": lambda value: np.asarray(value, np.bool_),
    "jnp.asarray{}, jnp.int32": lambda value: np.asarray(value, np.int32),
}
"""The forms for a layer of NumPy, where JAX is not imported."""

CONTAINERS = (
    "np.copy",
    "np.asfortranarray",
    "strided_view",
    "reversed_view",
    "jnp.asarray",
    "read_only",
)
"""NumPy in C and Fortran order, views with gaps and with negative strides, JAX, read-only NumPy."""
