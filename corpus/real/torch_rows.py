"""A port of torch.nn.BatchNorm1d for (N, C), checked against PyTorch by its author."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.training = True

    def __call__(self, x):
        if self.training:
            n = x.shape[0]
            if n < 2:
                raise ValueError("Expected more than 1 value per channel when training")
            mean = x.mean(axis=0)
            var = x.var(axis=0)
            unbiased = var * (n / (n - 1))
            m = self.momentum
            self.running_mean.value = jax.lax.stop_gradient((1 - m) * self.running_mean.value + m * mean)
            self.running_var.value = jax.lax.stop_gradient((1 - m) * self.running_var.value + m * unbiased)
        else:
            mean = self.running_mean.value
            var = self.running_var.value
        return (x - mean) / jnp.sqrt(var + self.eps) * self.weight.value + self.bias.value
