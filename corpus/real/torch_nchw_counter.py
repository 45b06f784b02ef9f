"""BatchNorm2d of a vision library that was ported from PyTorch with its state_dict's names."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm2d(nnx.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1, *, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))
        self.num_batches_tracked = nnx.BatchStat(jnp.array(0, jnp.int32))

    def __call__(self, x, *, train: bool):
        n, c, h, w = x.shape
        if train:
            mean = x.mean(axis=(0, 2, 3))
            var = x.var(axis=(0, 2, 3))
            count = n * h * w
            correction = count / (count - 1) if count > 1 else 1.0
            self.num_batches_tracked[...] = self.num_batches_tracked[...] + 1
            keep = 1 - self.momentum
            self.running_mean[...] = keep * self.running_mean[...] + self.momentum * jax.lax.stop_gradient(mean)
            self.running_var[...] = keep * self.running_var[...] + self.momentum * jax.lax.stop_gradient(var) * correction
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        x = (x - mean[None, :, None, None]) / jnp.sqrt(var[None, :, None, None] + self.eps)
        return x * self.weight[...][None, :, None, None] + self.bias[...][None, :, None, None]
