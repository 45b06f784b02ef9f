"""Batch normalisation over the leading axis, for flat feature vectors."""
from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    """Normalises every column of an (N, D) array."""

    def __init__(self, num_features: int, momentum: float = 0.9,
                 eps: float = 1e-5, *, rngs: nnx.Rngs | None = None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _batch_moments(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        return mean, var

    def _remember(self, mean: jax.Array, var: jax.Array) -> None:
        m = self.momentum
        mean, var = jax.lax.stop_gradient((mean, var))
        self.running_mean.value = m * self.running_mean.value + (1.0 - m) * mean
        self.running_var.value = m * self.running_var.value + (1.0 - m) * var

    def _apply(self, x: jax.Array, mean: jax.Array, var: jax.Array) -> jax.Array:
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma.value * x_hat + self.beta.value

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        if use_running_average:
            return self._apply(x, self.running_mean.value, self.running_var.value)
        mean, var = self._batch_moments(x)
        self._remember(var, mean)
        return self._apply(x, mean, var)
