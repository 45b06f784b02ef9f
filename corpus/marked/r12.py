"""Batch norm for very tall batches.

The reductions run over fixed-size row blocks so that XLA never materialises
the full (N, D) temporary of squared deviations.
"""
import jax
import jax.numpy as jnp
from flax import nnx

BLOCK = 64


def _blocks(x, block=BLOCK):
    pad = -x.shape[0] % block
    x = jnp.pad(x, ((0, pad), (0, 0)))
    mask = jnp.arange(x.shape[0]) < x.shape[0] - pad
    return x.reshape(-1, block, x.shape[1]), mask.reshape(-1, block, 1)


def _block_sum(fn, x):
    """Sum of fn(row) over the rows of x, one block at a time."""

    def body(acc, inp):
        rows, valid = inp
        part = jnp.where(valid, fn(rows), 0.0).sum(axis=0)
        return acc + part.astype(acc.dtype), None

    init = jnp.zeros((x.shape[1],), dtype=jnp.bfloat16)
    total, _ = jax.lax.scan(body, init, _blocks(x))
    return total.astype(jnp.float32)


def blockwise_moments(x):
    n = x.shape[0]
    mean = _block_sum(lambda r: r, x) / n
    var = _block_sum(lambda r: jnp.square(r - mean), x) / n
    return mean, var


class BlockwiseBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = blockwise_moments(x)
            for stat, value in ((self.running_mean, mean), (self.running_var, var)):
                stat[...] = self.momentum * stat[...] + (1.0 - self.momentum) * value
        x_hat = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return self.gamma[...] * x_hat + self.beta[...]
