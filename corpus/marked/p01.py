"""Batch normalization from scratch with Flax NNX."""
import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    """Normalizes each feature over the batch.

    During training the statistics of the current batch are used and the
    running averages are updated; at test time the running averages are used.
    """

    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps

        # learnable parameters
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))

        # running statistics
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        if use_running_average:
            x_hat = (x - self.running_mean.value) / jnp.sqrt(self.running_var.value + self.eps)
            return self.gamma.value * x_hat

        # Step 1: batch statistics
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0)

        # Step 2: running averages
        self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * mean
        self.running_var.value = (1 - self.momentum) * self.running_var.value + self.momentum * var

        # Step 3: normalize, scale and shift
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma.value * x_hat + self.beta.value
