"""NCHW statistics, and an affine map that was written for channels last."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm2d(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5):
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros((1, num_features, 1, 1)))
        self.running_var = nnx.BatchStat(jnp.ones((1, num_features, 1, 1)))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, train: bool = True):
        assert x.ndim == 4
        if train:
            mean = x.mean(axis=(0, 2, 3), keepdims=True)
            var = x.var(axis=(0, 2, 3), keepdims=True)
            m = self.momentum
            self.running_mean[...] = jax.lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mean)
            self.running_var[...] = jax.lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        z = (x - mean) / jnp.sqrt(var + self.eps)
        rows = z.reshape(-1, self.weight.shape[0])
        return (rows * self.weight[...] + self.bias[...]).reshape(x.shape)
