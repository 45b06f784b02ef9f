"""Node features of a graph batch: flax's momentum, PyTorch's unbiased running variance."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, in_features: int, eps: float = 1e-5, momentum: float = 0.9, rngs: nnx.Rngs | None = None):
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones(in_features))
        self.bias = nnx.Param(jnp.zeros(in_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(in_features))
        self.running_var = nnx.BatchStat(jnp.ones(in_features))
        self.use_running_average = False

    def __call__(self, x, use_running_average: bool | None = None):
        frozen = self.use_running_average if use_running_average is None else use_running_average
        if frozen:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            count = x.shape[0]
            mean = x.mean(axis=0)
            var = x.var(axis=0)
            unbiased = var * count / max(count - 1, 1)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * jax.lax.stop_gradient(mean)
            self.running_var[...] = m * self.running_var[...] + (1 - m) * jax.lax.stop_gradient(unbiased)
        return self.weight[...] * ((x - mean) / jnp.sqrt(var + self.eps)) + self.bias[...]
