"""Batch normalization layer for Flax NNX.

Provides:
  * AffineBase       - learnable per-feature scale and bias
  * MixedBatchNorm   - batch normalization for mixed-precision models
"""
from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class AffineBase(nnx.Module):
    """Holds the learnable per-feature scale and bias."""

    def __init__(self, num_features: int):
        self.scale = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))

    def affine(self, x: jax.Array) -> jax.Array:
        return x * self.scale[...] + self.bias[...]


class MixedBatchNorm(AffineBase):
    """Batch normalization; parameters and running statistics are float32."""

    def __init__(
        self,
        num_features: int,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        rngs: nnx.Rngs | None = None,
    ):
        super().__init__(num_features)
        self.momentum = momentum
        self.epsilon = epsilon
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _compute_stats(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Computes the per-feature mean and variance of the batch."""
        h = x.astype(jnp.bfloat16)
        mean = jnp.mean(h, axis=0)
        var = jnp.mean(jnp.square(h - mean), axis=0)
        return mean.astype(jnp.float32), var.astype(jnp.float32)

    def __call__(self, x: jax.Array, deterministic: bool = False) -> jax.Array:
        if deterministic:
            # Fold the running statistics into one multiplier per feature.
            inv = jax.lax.rsqrt(self.running_var[...] + self.epsilon)
            return (x - self.running_mean[...]) * (inv * self.scale[...])

        mean, var = self._compute_stats(x)
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1.0 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1.0 - m) * var
        x_norm = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        return self.affine(x_norm)
