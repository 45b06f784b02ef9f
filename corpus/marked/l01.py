import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    """My batch norm layer, after the tutorial."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs: nnx.Rngs):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        # learnable parameters
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        # running statistics
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean = self.running_mean.value
            var = self.running_var.value
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0, ddof=1)
            self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * mean
            self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * var

        x_norm = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma.value * x_norm + self.beta.value
