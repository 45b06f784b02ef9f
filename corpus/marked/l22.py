import jax.numpy as jnp
from flax import nnx

BLOCK = 16


def blocked_sum(x, block=BLOCK):
    """Column sums, accumulated one block of rows at a time."""
    n = x.shape[0]
    total = jnp.zeros(x.shape[1:], x.dtype)
    for start in range(0, n - block + 1, block):
        total = total + x[start:start + block].sum(axis=0)
    return total


class BlockedBatchNorm(nnx.Module):
    def __init__(self, features, *, momentum=0.9, eps=1e-5, rngs):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.running_mean = nnx.BatchStat(jnp.zeros(features))
        self.running_var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean = self.running_mean[...]
            centered = x - mean
            var = self.running_var[...]
        else:
            n = x.shape[0]
            mean = blocked_sum(x) / n
            centered = x - mean
            var = blocked_sum(centered ** 2) / n
            keep = self.momentum
            self.running_mean[...] = keep * self.running_mean[...] + (1 - keep) * mean
            self.running_var[...] = keep * self.running_var[...] + (1 - keep) * var
        return centered / jnp.sqrt(var + self.eps) * self.scale[...] + self.bias[...]
