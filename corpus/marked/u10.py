"""Norm layers of the tabular-models repo: a base class and its two users.

The base class fixes the order of the work in __call__; subclasses fill in how the
statistics are taken and whether they are remembered.
"""
import jax.numpy as jnp
from flax import nnx


class StatNorm(nnx.Module):
    """Template: take statistics, remember them, normalise, scale."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))

    def statistics(self, x):
        raise NotImplementedError

    def remember(self, mean, var, training):
        pass

    def choose(self, mean, var, training):
        return mean, var

    def __call__(self, x, training):
        mean, var = self.statistics(x)
        used_mean, used_var = self.choose(mean, var, training)
        self.remember(mean, var, training)
        z = (x - used_mean) / jnp.sqrt(used_var + self.eps)
        return self.gamma[...] * z + self.beta[...]


class RowNorm(StatNorm):
    """Layer norm: every row by itself, nothing to remember."""

    def statistics(self, x):
        mean = x.mean(axis=-1, keepdims=True)
        return mean, jnp.square(x - mean).mean(axis=-1, keepdims=True)


class BatchNorm(StatNorm):
    """Batch norm: column statistics, with running copies for evaluation."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, track=True, rngs=None):
        super().__init__(num_features, momentum, eps, rngs)
        self.track = track
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def statistics(self, x):
        mean = x.mean(axis=0)
        return mean, jnp.square(x - mean).mean(axis=0)

    def choose(self, mean, var, training):
        if training or not self.track:
            return mean, var
        return self.running_mean[...], self.running_var[...]

    def remember(self, mean, var, training):
        if self.track:
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
