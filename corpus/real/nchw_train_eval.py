"""NCHW layer with (1, C, 1, 1) arrays and PyTorch's two methods for the mode."""

import jax.numpy as jnp
from flax import nnx


class BatchNorm2d(nnx.Module):
    def __init__(self, num_channels, momentum=0.9, eps=1e-5):
        shape = (1, num_channels, 1, 1)
        self.gamma = nnx.Param(jnp.ones(shape))
        self.beta = nnx.Param(jnp.zeros(shape))
        self.running_mean = nnx.BatchStat(jnp.zeros(shape))
        self.running_var = nnx.BatchStat(jnp.ones(shape))
        self.momentum, self.eps = momentum, eps
        self.is_training = True

    def train(self):
        self.is_training = True
        return self

    def eval(self):
        self.is_training = False
        return self

    def __call__(self, x):
        if not self.is_training:
            mean, var = self.running_mean.value, self.running_var.value
        else:
            mean = jnp.mean(x, axis=(0, 2, 3), keepdims=True)
            var = jnp.var(x, axis=(0, 2, 3), keepdims=True)
            self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * mean
            self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * var
        return self.gamma.value * ((x - mean) / jnp.sqrt(var + self.eps)) + self.beta.value
