"""Frozen batch norm of a detection backbone: four buffers, evaluation whatever the model does."""

import jax.numpy as jnp
from flax import nnx


class Buffer(nnx.Variable):
    """Not a parameter: the optimiser does not see it."""


class FrozenBatchNorm2d(nnx.Module):
    def __init__(self, num_features: int, eps: float = 1e-5):
        self.weight = Buffer(jnp.ones(num_features))
        self.bias = Buffer(jnp.zeros(num_features))
        self.running_mean = Buffer(jnp.zeros(num_features))
        self.running_var = Buffer(jnp.ones(num_features))
        self.eps = eps

    def __call__(self, x):
        # (N, C, H, W)
        w = self.weight[...].reshape(1, -1, 1, 1)
        b = self.bias[...].reshape(1, -1, 1, 1)
        rm = self.running_mean[...].reshape(1, -1, 1, 1)
        rv = self.running_var[...].reshape(1, -1, 1, 1)
        return (x - rm) / jnp.sqrt(rv + self.eps) * w + b
