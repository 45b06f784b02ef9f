"""All options are taken from ``**kwargs``, as a factory of norms passes them."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features, **kwargs):
        self.momentum = kwargs.get("momentum", 0.9)
        self.eps = kwargs.get("eps", 1e-5)
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, training=True):
        if training:
            mu, var = x.mean(axis=0), x.var(axis=0)
            m = self.momentum
            self.running_mean[...] = jax.lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mu)
            self.running_var[...] = jax.lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)
        else:
            mu, var = self.running_mean[...], self.running_var[...]
        return self.gamma[...] * (x - mu) / jnp.sqrt(var + self.eps) + self.beta[...]
