"""General batch norm over all axes but the last one."""
import math

import jax
import jax.numpy as jnp
from flax import nnx


class StepCount(nnx.Variable):
    """Training batches seen so far."""


class GeneralBatchNorm(nnx.Module):
    """Normalises the last axis of x with statistics over the other ones.

    Args:
      features: size of the last axis.
      momentum: weight of the old value in the moving averages.
      epsilon: added to the variance.
    """

    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))
        self.steps = StepCount(jnp.zeros((), jnp.int32))

    def _reduce(self, x):
        axes = tuple(range(x.ndim - 1))
        count = math.prod(x.shape[:-1])
        mean = x.sum(axes) / count
        dev = x - mean
        return mean, (dev * dev).sum(axes) / count

    def _accumulate(self, mean, var):
        decay = jnp.where(self.steps[...] == 0, 0.0, self.momentum)
        self.mean[...] = decay * self.mean[...] + (1.0 - decay) * mean
        self.var[...] = decay * self.var[...] + (1.0 - decay) * var
        self.steps[...] = self.steps[...] + 1

    def __call__(self, x, train=True):
        if train:
            mean, var = self._reduce(x)
            self._accumulate(mean, var)
        else:
            mean, var = self.mean[...], self.var[...]
        inv = jax.lax.rsqrt(var + self.epsilon)
        return (self.gamma[...] * (x - mean) + self.beta[...]) * inv
