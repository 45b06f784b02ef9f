"""Streaming batch norm: statistics are gathered block by block.

A (N, D) batch is cut into equal blocks of at most 8 rows; a scan folds the blocks
into one running triple (count, mean, m2) with the parallel-variance formula of Chan,
Golub and LeVeque.  The full-size centred copy of x is never formed for the statistics.
"""
import math

import jax
import jax.numpy as jnp
from flax import nnx

MAX_BLOCK = 8


def _merge(acc, block):
    """Folds one block of rows into the accumulated moments."""
    count, mean, m2 = acc
    rows = block.shape[0]
    block_mean = jnp.mean(block, axis=0)
    block_m2 = jnp.sum(jnp.square(block - block_mean), axis=0)
    total = count + rows
    delta = block_mean - mean
    new_mean = mean + delta * (rows / total)
    new_m2 = m2 + block_m2 + delta * delta * (rows / total)
    return (total, new_mean, new_m2), None


def streaming_moments(x):
    n, d = x.shape
    rows = math.gcd(n, MAX_BLOCK)
    start = (jnp.zeros((), x.dtype), jnp.zeros((d,), x.dtype), jnp.zeros((d,), x.dtype))
    (count, mean, m2), _ = jax.lax.scan(_merge, start, x.reshape(n // rows, rows, d))
    return mean, m2 / count


class StreamingBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, train=True):
        if train:
            mean, var = streaming_moments(x)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        else:
            mean, var = self.mean[...], self.var[...]
        y = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        return y * self.scale[...] + self.bias[...]
