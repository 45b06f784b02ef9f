import jax.numpy as jnp
from flax import nnx


class OnePassBatchNorm(nnx.Module):
    """Computes sum and sum of squares in a single sweep over the batch."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def _stats(self, x):
        n = x.shape[-1]
        s1 = jnp.sum(x, axis=0)
        s2 = jnp.sum(x * x, axis=0)
        mean = s1 / n
        var = jnp.maximum(s2 / n - mean * mean, 0.0)
        return mean, var

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self._stats(x)
            m = self.momentum
            self.mean[...] = m * self.mean[...] + (1 - m) * mean
            self.var[...] = m * self.var[...] + (1 - m) * var
        inv = self.scale[...] / jnp.sqrt(var + self.eps)
        return (x - mean) * inv + self.bias[...]
