from flax import nnx
import jax.numpy as jnp


class MyBatchNorm(nnx.Module):
    """Batch norm from scratch (homework 4)."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, training=True):
        if training:
            n = x.shape[0]
            mu = jnp.sum(x, axis=0) / n
            diff = x - mu
            var = jnp.sum(diff ** 2, axis=0) / (n - 1)

            self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * mu
            self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * var
        else:
            mu = self.running_mean.value
            var = self.running_var.value

        xhat = (x - mu) / jnp.sqrt(var + self.eps)
        return self.gamma.value * xhat + self.beta.value
