"""Batch norm that reduces the batch in chunks to bound peak memory."""
import jax.numpy as jnp
from flax import nnx


def chunk_moments(chunk):
    mean = jnp.mean(chunk, axis=0)
    var = jnp.mean(jnp.square(chunk - mean), axis=0)
    return len(chunk), mean, var


def combine(parts):
    total = sum(n for n, _, _ in parts)
    mean = sum(n / total * m for n, m, _ in parts)
    var = sum(n / total * v for n, _, v in parts)
    return mean, var


class ChunkedBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, num_chunks=4, rngs=None):
        self.num_chunks = num_chunks
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def _moments(self, x):
        k = min(self.num_chunks, x.shape[0])
        return combine([chunk_moments(c) for c in jnp.array_split(x, k)])

    def _update(self, mean, var):
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var

    def __call__(self, x, training):
        if training:
            mean, var = self._moments(x)
            self._update(mean, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        y = (x - mean) / jnp.sqrt(var + self.epsilon)
        return self.scale[...] * y + self.bias[...]
