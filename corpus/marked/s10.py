"""Accompanying code for the post 'Normalization layers in Flax NNX, part 1'."""
import jax.numpy as jnp
from flax import nnx


class SimpleBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        # learnable
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        # not learnable
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, training=True):
        if training:
            mean = x.mean(axis=0)
            var = ((x - mean) ** 2).mean(axis=0)

            # move the running values a little towards the batch values
            step = self.momentum
            self.running_mean.value += step * (mean - self.running_mean.value)
            self.running_var.value += step * (var - self.running_var.value)
        else:
            mean = self.running_mean.value
            var = self.running_var.value

        x = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma.value * x + self.beta.value
