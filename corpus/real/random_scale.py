"""The scale starts like a weight matrix, at random."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, din: int, mu: float = 0.95, eps: float = 1e-5, *, rngs: nnx.Rngs):
        self.scale = nnx.Param(jax.random.uniform(rngs.params(), (din,)))
        self.bias = nnx.Param(jnp.zeros((din,)))
        self.mean = nnx.BatchStat(jnp.zeros((din,)))
        self.var = nnx.BatchStat(jnp.ones((din,)))
        self.mu = mu
        self.eps = eps

    def __call__(self, x: jax.Array, *, use_running_averages: bool) -> jax.Array:
        if use_running_averages:
            mean, var = self.mean[...], self.var[...]
        else:
            axis = tuple(range(x.ndim - 1))
            mean, var = jnp.mean(x, axis=axis), jnp.var(x, axis=axis)
            self.mean[...] = jax.lax.stop_gradient(self.mu * self.mean[...] + (1 - self.mu) * mean)
            self.var[...] = jax.lax.stop_gradient(self.mu * self.var[...] + (1 - self.mu) * var)
        return (x - mean) / jnp.sqrt(var + self.eps) * self.scale[...] + self.bias[...]
