"""The values of the flag that selects the mode, and the forms in which it is given."""

from __future__ import annotations

ENCODINGS = (
    "float",
    "bool",
    "int",
    "np.bool_",
    "np.float32",
    "np.float64",
    "np.int32",
    "np.array{}, np.float32",
    "np.array{}, np.bool_",
    "jnp.asarray{}, jnp.float32",
    "jnp.asarray{}, jnp.bool_",
    "jnp.asarray{}, jnp.int32",
)
"""The ways in which the flag 0 or 1 reaches a layer; those of JAX come last."""

BETWEEN = (0.3, 0.5, 0.9, -1.0, 0.1, 0.49, 0.51, 2.0)
"""Flags that are neither 0 nor 1."""
