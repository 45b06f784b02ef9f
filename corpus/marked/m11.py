import math

import jax
import jax.numpy as jnp
from flax import nnx


def as_rows(x: jax.Array, axis: int = -1) -> jax.Array:
    """Returns a (features, everything else) view of x."""
    size = x.shape[axis]
    return x.reshape(size, -1)


def broadcast_shape(x: jax.Array, axis: int = -1):
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    return tuple(shape)


class ChannelNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        if use_running_average:
            mean = self.running_mean.value
            var = self.running_var.value
        else:
            rows = as_rows(x)
            mean = rows.mean(axis=1)
            var = rows.var(axis=1)
            keep = self.momentum
            self.running_mean.value = keep * self.running_mean.value + (1 - keep) * mean
            self.running_var.value = keep * self.running_var.value + (1 - keep) * var
        shape = broadcast_shape(x)
        inv = jax.lax.rsqrt(var + self.epsilon).reshape(shape)
        y = (x - mean.reshape(shape)) * inv
        return y * self.scale.value.reshape(shape) + self.bias.value.reshape(shape)
