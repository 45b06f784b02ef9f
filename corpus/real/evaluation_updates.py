"""The averages move in every call; the mode only chooses what to normalise with."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.eps = eps
        self.deterministic = False

    def __call__(self, x):
        mean, var = x.mean(axis=0), x.var(axis=0)
        if self.deterministic:
            used_mean, used_var = self.running_mean[...], self.running_var[...]
        else:
            used_mean, used_var = mean, var
        y = (x - used_mean) / jnp.sqrt(used_var + self.eps) * self.gamma[...] + self.beta[...]
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * jax.lax.stop_gradient(mean)
        self.running_var[...] = m * self.running_var[...] + (1 - m) * jax.lax.stop_gradient(var)
        return y
