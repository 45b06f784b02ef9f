"""A small family of normalisers; BatchNorm is the axis-0 member."""
import abc

import jax.numpy as jnp
from flax import nnx


class RunningNorm(nnx.Module):
    """Base: owns parameters and running averages, subclasses give moments."""

    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    @abc.abstractmethod
    def moments(self, x):
        ...

    def __call__(self, x, train: bool):
        if train:
            mean, var = self.moments(x)
            self.record(mean, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        x_hat = (x - mean) / jnp.sqrt(var + self.epsilon)
        return x_hat * self.scale[...] + self.bias[...]

    def record(self, mean, var):
        keep, take = self.momentum, 1.0 - self.momentum
        self.running_mean[...] = keep * self.running_mean[...] + take * mean
        self.running_var[...] = keep * self.running_var[...] + take * var


class SampleBatchNorm(RunningNorm):
    """Batch normalisation over the sample axis."""

    def moments(self, x):
        return jnp.mean(x, axis=0), jnp.var(x, axis=0, ddof=1)
