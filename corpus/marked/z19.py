"""BatchNorm with row-by-row accumulation in fori_loop (two passes)."""
from jax import lax
import jax.numpy as jnp
from flax import nnx


def column_mean(x):
    n = x.shape[0]
    total = lax.fori_loop(1, n, lambda i, acc: acc + x[i], x[0])
    return total / n


def column_var(x, mean):
    n = x.shape[0]

    def body(i, acc):
        d = x[i] - mean
        return acc + d * d

    total = lax.fori_loop(1, n, body, jnp.zeros_like(mean))
    return total / n


class LoopBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean = column_mean(x)
            var = column_var(x, mean)
            m = self.momentum
            self.mean[...] = m * self.mean[...] + (1 - m) * mean
            self.var[...] = m * self.var[...] + (1 - m) * var
        return self.scale[...] * (x - mean) * lax.rsqrt(var + self.epsilon) + self.bias[...]
