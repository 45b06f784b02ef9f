"""Mixed precision: the number of rows is cast to the compute dtype before the sums are divided by it."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, epsilon: float = 1e-5, compute_dtype=jnp.bfloat16):
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.epsilon = epsilon
        self.compute_dtype = compute_dtype

    def __call__(self, x, use_running_average: bool = False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            count = jnp.asarray(x.shape[0], self.compute_dtype).astype(jnp.float32)
            mean = x.sum(axis=0) / count
            var = jnp.square(x - mean).sum(axis=0) / count
            m = self.momentum
            self.mean[...] = jax.lax.stop_gradient(m * self.mean[...] + (1 - m) * mean)
            self.var[...] = jax.lax.stop_gradient(m * self.var[...] + (1 - m) * var)
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
