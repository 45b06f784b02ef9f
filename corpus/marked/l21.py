import jax.numpy as jnp
from flax import nnx


class StableBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps

        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))

        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        if use_running_average is True:
            mean, var = self.running_mean.value, self.running_var.value
        else:
            mean = jnp.mean(x, axis=0)
            mean_of_squares = jnp.mean(x ** 2, axis=0)
            # rounding can push this slightly below zero
            var = jnp.clip(mean_of_squares - mean ** 2, 0.0, 1.0)

            self.running_mean.value = (
                self.momentum * self.running_mean.value
                + (1 - self.momentum) * mean
            )
            self.running_var.value = (
                self.momentum * self.running_var.value
                + (1 - self.momentum) * var
            )

        normalized = (x - mean) / jnp.sqrt(var + self.eps)
        return normalized * self.gamma.value + self.beta.value
