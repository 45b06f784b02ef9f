"""Streaming batch norm: moments are merged block by block (Chan et al. 1979)."""
import math

import jax
import jax.numpy as jnp
from flax import nnx


def _merge(carry, block):
    count, mean, m2 = carry
    b = block.shape[0]
    block_mean = jnp.mean(block, axis=0)
    block_m2 = jnp.sum((block - block_mean) ** 2, axis=0)

    delta = block_mean - mean
    count = count + b
    mean = mean + delta * (b / count)
    m2 = m2 + block_m2 + delta * delta * (count * b / (count + b))
    return (count, mean, m2), None


def streaming_moments(rows, block_rows):
    n, c = rows.shape
    size = math.gcd(n, block_rows)
    blocks = rows.reshape(n // size, size, c)
    start = (jnp.float32(0.0), jnp.zeros(c, rows.dtype), jnp.zeros(c, rows.dtype))
    (count, mean, m2), _ = jax.lax.scan(_merge, start, blocks)
    return mean, m2 / count


class StreamingBatchNorm(nnx.Module):
    def __init__(self, num_features, *, block_rows=4, momentum=0.99,
                 epsilon=1e-5, rngs=None):
        self.block_rows = block_rows
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, *, use_running_average=False):
        rows = x.reshape(-1, x.shape[-1])
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = streaming_moments(rows, self.block_rows)
            d = self.momentum
            self.mean[...] = d * self.mean[...] + (1 - d) * mean
            self.var[...] = d * self.var[...] + (1 - d) * var
        y = (rows - mean) * jax.lax.rsqrt(var + self.epsilon)
        y = y * self.scale[...] + self.bias[...]
        return y.reshape(x.shape)
