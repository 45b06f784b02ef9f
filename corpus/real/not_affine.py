"""Whitening of observations per feature: running averages, and nothing to learn."""

import jax
import jax.numpy as jnp
from flax import nnx


class InputNorm(nnx.Module):
    def __init__(self, obs_dim: int, decay: float = 0.999, eps: float = 1e-8):
        self.mean = nnx.BatchStat(jnp.zeros((obs_dim,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((obs_dim,), jnp.float32))
        self.decay = decay
        self.eps = eps

    def __call__(self, obs: jax.Array, update: bool = True) -> jax.Array:
        mean, var = self.mean[...], self.var[...]
        if update:
            mean, var = obs.mean(axis=0), obs.var(axis=0)
            old, new = self.decay, 1 - self.decay
            self.mean[...] = jax.lax.stop_gradient(old * self.mean[...] + new * mean)
            self.var[...] = jax.lax.stop_gradient(old * self.var[...] + new * var)
        return (obs - mean) / jnp.sqrt(var + self.eps)
