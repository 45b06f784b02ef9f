import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    """Batch normalization. At test time the layer collapses to one multiply-add."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training=True):
        gamma, beta = self.gamma.value, self.beta.value

        if not training:
            a = gamma / (self.running_var.value + self.eps)
            b = beta - a * self.running_mean.value
            return a * x + b

        mean = jnp.mean(x, axis=0, keepdims=True)
        var = jnp.mean((x - mean) ** 2, axis=0, keepdims=True)
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)

        m = self.momentum
        self.running_mean.value = m * self.running_mean.value + (1 - m) * mean[0]
        self.running_var.value = m * self.running_var.value + (1 - m) * var[0]
        return gamma * x_hat + beta
