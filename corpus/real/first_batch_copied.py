"""The first batch initialises the averages; a counter says whether there was one."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, input_dim: int, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(input_dim))
        self.beta = nnx.Param(jnp.zeros(input_dim))
        self.running_mean = nnx.BatchStat(jnp.zeros(input_dim))
        self.running_var = nnx.BatchStat(jnp.ones(input_dim))
        self.num_updates = nnx.BatchStat(jnp.array(0, jnp.int32))
        self.momentum = momentum
        self.eps = eps

    def _blend(self, average, batch):
        blended = self.momentum * average + (1 - self.momentum) * batch
        return jax.lax.stop_gradient(jnp.where(self.num_updates[...] == 0, batch, blended))

    def __call__(self, x, train: bool):
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean[...] = self._blend(self.running_mean[...], mean)
            self.running_var[...] = self._blend(self.running_var[...], var)
            self.num_updates[...] = self.num_updates[...] + 1
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
