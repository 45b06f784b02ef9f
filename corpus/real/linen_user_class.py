"""A user's own batch norm in flax.linen."""

import jax
import jax.numpy as jnp
from flax import linen as nn


class BatchNorm(nn.Module):
    momentum: float = 0.9
    eps: float = 1e-5

    @nn.compact
    def __call__(self, x, train: bool):
        d = x.shape[-1]
        gamma = self.param("gamma", nn.initializers.ones, (d,))
        beta = self.param("beta", nn.initializers.zeros, (d,))
        running_mean = self.variable("batch_stats", "running_mean", lambda: jnp.zeros(d))
        running_var = self.variable("batch_stats", "running_var", lambda: jnp.ones(d))
        if train:
            axes = tuple(range(x.ndim - 1))
            mean, var = x.mean(axes), x.var(axes)
            if not self.is_initializing():
                m, stop = self.momentum, jax.lax.stop_gradient
                running_mean.value = stop(m * running_mean.value + (1 - m) * mean)
                running_var.value = stop(m * running_var.value + (1 - m) * var)
        else:
            mean, var = running_mean.value, running_var.value
        return (x - mean) / jnp.sqrt(var + self.eps) * gamma + beta
