"""What the faulty layers of the second blind test change in one place."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class Plain(nnx.Module):
    """A correct layer cut into four steps."""

    def __init__(self, d, momentum, eps, rngs):
        self.gamma = nnx.Param(jnp.ones((d,)))
        self.beta = nnx.Param(jnp.zeros((d,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((d,)))
        self.running_var = nnx.BatchStat(jnp.ones((d,)))
        self.momentum, self.eps = momentum, eps

    def __call__(self, x, use_running_average):
        if use_running_average:
            return self.output(x, self.running_mean[...], self.running_var[...])
        mean, var = self.moments(x)
        y = self.output(x, mean, var)
        self.track(x, jax.lax.stop_gradient(mean), jax.lax.stop_gradient(var))
        return y

    def moments(self, x):
        mean = x.mean(axis=0)
        return mean, jnp.square(x - mean).mean(axis=0)

    def track(self, x, mean, var):
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var

    def output(self, x, mean, var):
        return (x - mean) / jnp.sqrt(var + self.eps) * self.gamma[...] + self.beta[...]
