import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    """Branch-free version so that `use_running_average` may be traced."""

    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, rngs):
        self.momentum, self.epsilon = momentum, epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average=False):
        frozen = jnp.asarray(use_running_average)
        ra_mean, ra_var = self.mean[...], self.var[...]
        b_mean, b_var = jnp.mean(x, axis=0), jnp.var(x, axis=0)

        mean = jnp.where(frozen, ra_mean, b_mean)
        var = jnp.where(frozen, ra_var, b_var)

        new_mean = self.momentum * ra_mean + (1 - self.momentum) * b_mean
        new_var = self.momentum * ra_var + (1 - self.momentum) * b_var
        self.mean[...] = jnp.where(frozen, ra_mean, new_mean)
        self.var[...] = new_var

        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
