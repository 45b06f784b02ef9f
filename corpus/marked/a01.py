"""Batch normalization from scratch, following Ioffe & Szegedy (2015)."""
import jax.numpy as jnp
from flax import nnx


class MyBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-3, *, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps

        # learnable parameters
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))

        # statistics used at test time
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training=True):
        if training:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean((x - mean) ** 2, axis=0)

            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        else:
            mean = self.running_mean[...]
            var = self.running_var[...]

        std = jnp.sqrt(var) + self.eps
        x_hat = (x - mean) / std
        return self.gamma[...] * x_hat + self.beta[...]
