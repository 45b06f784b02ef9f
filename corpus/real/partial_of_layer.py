"""The usual line of a ResNet: a partial of a layer with its values filled in."""

import functools

import jax
import jax.numpy as jnp
from flax import nnx


class _BatchNorm(nnx.Module):
    def __init__(self, features, momentum, epsilon, *, rngs):
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(self, x, use_running_average):
        axes = tuple(range(x.ndim - 1))
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = x.mean(axes), x.var(axes)
            m = self.momentum
            self.mean[...] = jax.lax.stop_gradient(m * self.mean[...] + (1 - m) * mean)
            self.var[...] = jax.lax.stop_gradient(m * self.var[...] + (1 - m) * var)
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]


norm = functools.partial(_BatchNorm, momentum=0.9, epsilon=1e-5)
