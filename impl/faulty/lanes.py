"""A mean whose batching rule is wrong, for layers of either kind."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from impl.stepwise import Array


@jax.custom_batching.custom_vmap
def averaged(x: Array) -> Array:
    """Return the mean over the rows, (D,); under vmap that over the rows of all lanes."""
    return jnp.mean(x, axis=0)


@averaged.def_vmap
def _averaged_lanes(size: int, batched: Any, x: Array) -> Any:
    del batched
    return jnp.broadcast_to(jnp.mean(x, axis=(0, 1)), (size, x.shape[2])), True
