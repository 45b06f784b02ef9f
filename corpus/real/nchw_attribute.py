"""Channels-first batch norm of a UNet; the mode is the attribute ``training``."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm2D(nnx.Module):
    def __init__(self, in_channels: int, eps: float = 1e-5, momentum: float = 0.9):
        self.weight = nnx.Param(jnp.ones(in_channels))
        self.bias = nnx.Param(jnp.zeros(in_channels))
        self.running_mean = nnx.BatchStat(jnp.zeros(in_channels))
        self.running_var = nnx.BatchStat(jnp.ones(in_channels))
        self.eps = eps
        self.momentum = momentum
        self.training = True

    def _expand(self, a):
        return a.reshape(1, -1, 1, 1)

    def __call__(self, x):
        if x.ndim != 4:
            raise ValueError(f"expected (N, C, H, W), got {x.shape}")
        if self.training:
            m = x.mean(axis=(0, 2, 3))
            v = ((x - self._expand(m)) ** 2).mean(axis=(0, 2, 3))
            new_m, new_v = jax.lax.stop_gradient((m, v))
            self.running_mean[...] = self.momentum * self.running_mean[...] + (1 - self.momentum) * new_m
            self.running_var[...] = self.momentum * self.running_var[...] + (1 - self.momentum) * new_v
        else:
            m, v = self.running_mean[...], self.running_var[...]
        z = (x - self._expand(m)) / jnp.sqrt(self._expand(v) + self.eps)
        return z * self._expand(self.weight[...]) + self._expand(self.bias[...])
