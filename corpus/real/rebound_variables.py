"""Dense batch norm; the averages are written by making new ones."""

import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(self, x, train: bool):
        if train:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.mean = nnx.BatchStat(self.momentum * self.mean.value + (1 - self.momentum) * mean)
            self.var = nnx.BatchStat(self.momentum * self.var.value + (1 - self.momentum) * var)
        else:
            mean, var = self.mean.value, self.var.value
        return self.scale.value * (x - mean) / jnp.sqrt(var + self.epsilon) + self.bias.value
