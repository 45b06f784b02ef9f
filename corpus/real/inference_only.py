"""Only what a converted checkpoint needs: evaluation, with TensorFlow's eps."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    EPS = 1e-3

    def __init__(self, channels: int):
        self.gamma = nnx.Param(jnp.ones((channels,)))
        self.beta = nnx.Param(jnp.zeros((channels,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((channels,)))
        self.moving_variance = nnx.BatchStat(jnp.ones((channels,)))

    def __call__(self, x: jax.Array) -> jax.Array:
        inv = jax.lax.rsqrt(self.moving_variance[...] + self.EPS) * self.gamma[...]
        return (x - self.moving_mean[...]) * inv + self.beta[...]
