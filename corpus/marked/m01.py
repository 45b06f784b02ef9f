"""Batch normalization over feature vectors."""
from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

Array = jax.Array


def _batch_moments(x: Array) -> tuple[Array, Array]:
    """Per-feature mean and variance of a (N, D) batch."""
    mean = jnp.mean(x, axis=0)
    var = jnp.var(x, axis=0, ddof=1)
    return mean, var


def _standardize(x: Array, mean: Array, var: Array, epsilon: float) -> Array:
    return (x - mean) * jax.lax.rsqrt(var + epsilon)


class BatchNorm1d(nnx.Module):
    """Normalizes each feature of a batch.

    Args:
      num_features: size of the last axis.
      momentum: decay of the running statistics.
      epsilon: added to the variance for stability.
    """

    def __init__(
        self,
        num_features: int,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(nnx.initializers.ones(rngs.params(), (num_features,)))
        self.bias = nnx.Param(nnx.initializers.zeros(rngs.params(), (num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _update(self, mean: Array, var: Array) -> None:
        m = self.momentum
        self.mean.value = m * self.mean.value + (1.0 - m) * mean
        self.var.value = m * self.var.value + (1.0 - m) * var

    def __call__(self, x: Array, use_running_average: bool = False) -> Array:
        if use_running_average:
            mean, var = self.mean.value, self.var.value
        else:
            mean, var = _batch_moments(x)
            self._update(mean, var)
        x_hat = _standardize(x, mean, var, self.epsilon)
        return x_hat * self.scale.value + self.bias.value
