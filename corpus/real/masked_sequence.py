"""Ignores padded tokens of (batch, time, channels); mask is (batch, time), true where valid."""

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
                mean, var = x.mean(axes), x.var(axes)
            else:
                valid = mask[..., None]
                count = jnp.maximum(valid.sum(), 1)
                mean = jnp.where(valid, x, 0.0).sum(axes) / count
                centred = jnp.where(valid, x - mean, 0.0)  # before the square: its gradient is finite
                var = jnp.square(centred).sum(axes) / count
            d = self.momentum
            self.running_mean[...] = jax.lax.stop_gradient(d * self.running_mean[...] + (1 - d) * mean)
            self.running_var[...] = jax.lax.stop_gradient(d * self.running_var[...] + (1 - d) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        x = x if mask is None else jnp.where(mask[..., None], x, mean)
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
