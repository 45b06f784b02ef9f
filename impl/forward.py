"""The reference as a function of plain numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy.typing as npt
from flax import nnx

from impl.batchnorm import MyBatchNorm


def batchnorm_forward(
    seed: float, x: npt.ArrayLike | jax.Array, use_running_average: float
) -> jax.Array:
    """Apply a fresh layer to ``x`` of shape (N, D) and return the result flat, (N·D,).

    Momentum is 0.9 and eps is 1e-5.

    Args:
        seed: The seed of the random streams, after ``int``.
        x: The input, (N, D).
        use_running_average: Evaluates if at least 0.5; any other value, NaN included, trains.
    """
    batch = jnp.asarray(x)
    layer = MyBatchNorm(batch.shape[1], momentum=0.9, eps=1e-5, rngs=nnx.Rngs(int(seed)))
    return layer(batch, bool(use_running_average >= 0.5)).reshape(-1)
