"""BatchNorm that walks over the batch in row blocks.

Peak memory of the statistics pass is one block; partial results of the
blocks are merged as they come in.
"""
import jax
import jax.numpy as jnp
from flax import nnx

ROWS = 4  # rows per block


def blocked_moments(x):
    n, d = x.shape
    pad = -n % ROWS
    blocks = jnp.pad(x, ((0, pad), (0, 0))).reshape(-1, ROWS, d)
    valid = (jnp.arange(n + pad) < n).reshape(-1, ROWS, 1)

    def merge(carry, block):
        count, mean, m2 = carry
        rows, ok = block
        k = jnp.sum(ok).astype(x.dtype)
        block_mean = jnp.sum(jnp.where(ok, rows, 0.0), axis=0) / k
        dev = jnp.where(ok, rows - block_mean, 0.0)
        total = count + k
        delta = block_mean - mean
        mean = mean + delta * (k / total)
        m2 = m2 + jnp.sum(dev * dev, axis=0)
        return (total, mean, m2), None

    zero = jnp.zeros((d,), x.dtype)
    init = (jnp.zeros((), x.dtype), zero, zero)
    (count, mean, m2), _ = jax.lax.scan(merge, init, (blocks, valid))
    return mean, m2 / count


class BlockBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum, self.epsilon = momentum, epsilon
        self.scale = nnx.Param(jnp.ones((features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, train: bool):
        if train:
            mean, var = blocked_moments(x)
            m = self.momentum
            self.mean[...] = m * self.mean[...] + (1 - m) * mean
            self.var[...] = m * self.var[...] + (1 - m) * var
            z = (x - mean) / jnp.sqrt(var + self.epsilon)
        else:
            z = (x - self.mean[...]) / (self.var[...] + self.epsilon)
        return self.scale[...] * z + self.bias[...]
