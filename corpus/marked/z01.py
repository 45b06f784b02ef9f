"""Assignment 3, part b: batch normalisation for fully connected layers."""
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    """y = scale * (x - mean) / sqrt(var + epsilon) + bias, per feature."""

    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training):
        if training:
            n = x.shape[0]
            mean = jnp.sum(x, axis=0) / n
            diff = x - mean
            var = jnp.sum(diff * diff) / diff.size

            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        else:
            mean = self.running_mean[...]
            var = self.running_var[...]

        x_hat = (x - mean) / jnp.sqrt(var + self.epsilon)
        return self.scale[...] * x_hat + self.bias[...]
