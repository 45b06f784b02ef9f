"""Counts its updates in a Variable of a class of its own, for a learning-rate schedule elsewhere."""

import jax
import jax.numpy as jnp
from flax import nnx


class Counter(nnx.Variable):
    pass


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, rngs=None):
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))
        self.steps = Counter(jnp.zeros((), jnp.int32))
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(self, x, train=True):
        if train:
            mean, var = jnp.mean(x, 0), jnp.var(x, 0)
            new_mean = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            new_var = self.momentum * self.var[...] + (1 - self.momentum) * var
            self.mean[...] = jax.lax.stop_gradient(new_mean)
            self.var[...] = jax.lax.stop_gradient(new_var)
            self.steps[...] += 1
        else:
            mean, var = self.mean[...], self.var[...]
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
