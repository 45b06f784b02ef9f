import jax
import jax.numpy as jnp
from flax import nnx


class ShiftedBatchNorm(nnx.Module):
    """One-pass moments, shifted by the running mean to limit cancellation."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean = self.running_mean[...]
            var = self.running_var[...]
        else:
            shift = self.running_mean
            d = x - shift
            mean = jnp.mean(d, axis=0) + shift
            self.running_mean[...] = self.momentum * self.running_mean[...] + (1 - self.momentum) * mean
            var = jnp.mean(d * d, axis=0) - jnp.square(mean - shift)
            self.running_var[...] = self.momentum * self.running_var[...] + (1 - self.momentum) * var
        inv = jax.lax.rsqrt(var + self.eps)
        return (x - mean) * inv * self.gamma[...] + self.beta[...]
