"""HW3, problem 2: implement batch normalization as an NNX module."""
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):

    def __init__(self, num_features, *, momentum=0.9, eps=1e-3, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps

        # learnable parameters
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))

        # running statistics
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, training=True):
        if training:
            mu = x.mean(axis=0)
            var = ((x - mu) ** 2).mean(axis=0)

            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mu
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        else:
            mu = self.running_mean[...]
            var = self.running_var[...]

        std = jnp.sqrt(var) + self.eps
        x_hat = (x - mu) / std
        return self.gamma[...] * x_hat + self.beta[...]
