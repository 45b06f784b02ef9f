"""Batch norm of a small ResNet, NHWC."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_channels: int, momentum: float = 0.9, epsilon: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones((num_channels,)))
        self.beta = nnx.Param(jnp.zeros((num_channels,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_channels,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_channels,)))
        self.momentum = momentum
        self.epsilon = epsilon

    def __call__(self, x, train: bool):
        # x: (num_samples, height, width, channels)
        _, _, _, c = x.shape
        if train:
            mean = jnp.mean(x, axis=(1, 2), keepdims=True)
            var = jnp.var(x, axis=(1, 2), keepdims=True)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * jax.lax.stop_gradient(mean.mean(axis=(0, 1, 2)))
            self.running_var[...] = m * self.running_var[...] + (1 - m) * jax.lax.stop_gradient(var.mean(axis=(0, 1, 2)))
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        x = (x - mean) / jnp.sqrt(var + self.epsilon)
        return self.gamma[...].reshape(1, 1, 1, c) * x + self.beta[...].reshape(1, 1, 1, c)
