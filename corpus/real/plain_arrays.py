"""Averages as plain arrays on the module, as a newcomer from PyTorch's buffers might write."""

import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, dim: int, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(dim))
        self.beta = nnx.Param(jnp.zeros(dim))
        self.running_mean = jnp.zeros(dim)
        self.running_var = jnp.ones(dim)
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, training: bool = True):
        if training:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        else:
            mean, var = self.running_mean, self.running_var
        return self.gamma[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.beta[...]
