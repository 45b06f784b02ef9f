"""Hyperparameters as arrays in the state, so that a schedule may change them."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, epsilon: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = nnx.Variable(jnp.asarray(momentum))
        self.epsilon = nnx.Variable(jnp.asarray(epsilon))

    def __call__(self, x, train: bool):
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            m = self.momentum[...]
            self.running_mean[...] = jax.lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mean)
            self.running_var[...] = jax.lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.epsilon[...]) + self.beta[...]
