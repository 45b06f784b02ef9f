"""Each of two helpers refreshes the averages."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, decay: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones((1, num_features)))
        self.beta = nnx.Param(jnp.zeros((1, num_features)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((1, num_features)))
        self.moving_var = nnx.BatchStat(jnp.ones((1, num_features)))
        self.decay = decay
        self.eps = eps

    def _refresh(self, mean, var):
        self.moving_mean[...] = self.decay * self.moving_mean[...] + (1 - self.decay) * jax.lax.stop_gradient(mean)
        self.moving_var[...] = self.decay * self.moving_var[...] + (1 - self.decay) * jax.lax.stop_gradient(var)

    def _statistics(self, x):
        mean, var = x.mean(0, keepdims=True), x.var(0, keepdims=True)
        self._refresh(mean, var)
        return mean, var

    def _standardise(self, x, mean, var):
        self._refresh(mean, var)
        return (x - mean) / jnp.sqrt(var + self.eps)

    def __call__(self, x, is_training: bool = True):
        if is_training:
            z = self._standardise(x, *self._statistics(x))
        else:
            z = (x - self.moving_mean[...]) / jnp.sqrt(self.moving_var[...] + self.eps)
        return z * self.gamma[...] + self.beta[...]
