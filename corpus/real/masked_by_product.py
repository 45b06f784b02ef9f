"""Masked statistics of a speech model: padded frames are multiplied by zero."""

import jax
import jax.numpy as jnp
from flax import nnx


class MaskedBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, epsilon: float = 1e-5, rngs: nnx.Rngs = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, mask=None, training: bool = True):
        if training:
            axes = tuple(range(x.ndim - 1))
            if mask is None:
                mask = jnp.ones(x.shape[:-1], bool)
            kept = mask[..., None].astype(x.dtype)
            count = jnp.maximum(kept.sum(), 1.0)
            mean = (x * kept).sum(axes) / count
            var = ((x - mean) ** 2 * kept).sum(axes) / count
            d = self.momentum
            self.running_mean.value = d * self.running_mean.value + (1 - d) * jax.lax.stop_gradient(mean)
            self.running_var.value = d * self.running_var.value + (1 - d) * jax.lax.stop_gradient(var)
        else:
            mean, var = self.running_mean.value, self.running_var.value
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale.value + self.bias.value
