"""Batch norm that reads the batch block by block (keeps the f32 temporaries small)."""
import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

BLOCK = 8


def blocked_moments(x, block=BLOCK):
    n, d = x.shape
    num_blocks = (n + block - 1) // block
    padded = jnp.pad(x, ((0, num_blocks * block - n), (0, 0)))
    rows = jnp.arange(block)[:, None]

    def block_sum(fn):
        def body(i, acc):
            chunk = lax.dynamic_slice_in_dim(padded, i * block, block, axis=0)
            valid = rows + i * block < n
            return acc + jnp.sum(jnp.where(valid, fn(chunk), 0.0), axis=0)

        return lax.fori_loop(0, num_blocks - 1, body, jnp.zeros((d,), jnp.float32))

    mean = block_sum(lambda c: c) / n
    var = block_sum(lambda c: (c - mean) ** 2) / n
    return mean, var


class BlockedBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.offset = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = blocked_moments(x)
            keep = self.momentum
            self.mean[...] = keep * self.mean[...] + (1 - keep) * mean
            self.var[...] = keep * self.var[...] + (1 - keep) * var
        return (x - mean) * lax.rsqrt(var + self.eps) * self.scale[...] + self.offset[...]
