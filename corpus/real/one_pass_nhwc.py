"""NHWC batch norm with the variance from one pass over the activations."""

import jax
import jax.numpy as jnp
from flax import nnx


class FastBatchNorm(nnx.Module):
    def __init__(self, channels: int, momentum: float = 0.99, epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        self.scale = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))
        self.mean = nnx.BatchStat(jnp.zeros(channels))
        self.var = nnx.BatchStat(jnp.ones(channels))
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(self, x, *, train: bool):
        if x.ndim != 4:
            raise ValueError("FastBatchNorm takes images (N, H, W, C)")
        if train:
            first = jnp.mean(x, axis=(0, 1, 2))
            second = jnp.mean(jnp.square(x), axis=(0, 1, 2))
            mean, var = first, jnp.maximum(second - jnp.square(first), 0.0)
            m = self.momentum
            self.mean[...] = jax.lax.stop_gradient(m * self.mean[...] + (1 - m) * mean)
            self.var[...] = jax.lax.stop_gradient(m * self.var[...] + (1 - m) * var)
        else:
            mean, var = self.mean[...], self.var[...]
        return (x - mean) * jax.lax.rsqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
