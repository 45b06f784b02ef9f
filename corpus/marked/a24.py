"""Batch norm assembled from a statistics tracker and an affine module."""
import jax
import jax.numpy as jnp
from flax import nnx


class StatTracker(nnx.Module):
    def __init__(self, size, momentum):
        self.momentum = momentum
        self.mean = nnx.BatchStat(jnp.zeros((size,)))
        self.var = nnx.BatchStat(jnp.ones((size,)))

    def update(self, mean, var):
        m = self.momentum
        self.mean[...] = m * self.mean[...] + (1 - m) * jax.lax.stop_gradient(mean)
        self.var[...] = m * self.var[...] + (1 - m) * jax.lax.stop_gradient(var)

    def observe(self, x):
        mean = x.mean(axis=0)
        var = ((x - mean) ** 2).mean(axis=0)
        self.update(mean, var)
        return mean, var

    def current(self):
        return self.mean[...], self.var[...]


class ChannelAffine(nnx.Module):
    def __init__(self, size):
        self.scale = nnx.Param(jnp.ones((size,)))
        self.bias = nnx.Param(jnp.zeros((size,)))

    def __call__(self, x):
        return x * self.scale[...] + self.bias[...]


class ComposedBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, rngs=None):
        self.epsilon = epsilon
        self.stats = StatTracker(num_features, momentum)
        self.affine = ChannelAffine(num_features)

    def __call__(self, x, training):
        if training:
            mean, var = self.stats.observe(x)
            self.stats.update(mean, var)
        else:
            mean, var = self.stats.current()
        x_hat = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        return self.affine(x_hat)
