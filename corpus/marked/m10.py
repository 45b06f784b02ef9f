import jax.numpy as jnp
from flax import nnx


class SumsBatchNorm(nnx.Module):
    """Moments are accumulated as (count, sum, sum of squares), as in the sharded trainer."""

    def __init__(self, num_features, momentum=0.99, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    @staticmethod
    def accumulate(x):
        n = x.shape[0]
        s = jnp.sum(x, axis=0)
        ss = jnp.sum(x * x, axis=0)
        return n, s, ss

    @staticmethod
    def finalize(n, s, ss):
        mean = s / n
        var = (ss / n) - (s ** 2 / n)
        return mean, var

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean.value, self.var.value
        else:
            mean, var = self.finalize(*self.accumulate(x))
            self.mean.value = self.momentum * self.mean.value + (1 - self.momentum) * mean
            self.var.value = self.momentum * self.var.value + (1 - self.momentum) * var
        return self.gamma.value * (x - mean) / jnp.sqrt(var + self.eps) + self.beta.value
