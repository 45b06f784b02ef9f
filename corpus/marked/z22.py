"""BatchNorm that reduces the batch in chunks and merges the partial moments."""
import jax
import jax.numpy as jnp
from flax import nnx


def chunk_moments(chunk):
    mean = jnp.mean(chunk, axis=0)
    return chunk.shape[0], mean, jnp.mean(jnp.square(chunk - mean), axis=0)


def merge(parts):
    """Combine (count, mean, var) triples into the moments of the whole."""
    total = sum(count for count, _, _ in parts)
    mean = sum(count * mu for count, mu, _ in parts) / total
    var = sum(count * v for count, _, v in parts) / total
    return mean, var


class ChunkedBatchNorm(nnx.Module):
    """Statistics are those of the full batch, whatever `num_chunks` is."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, num_chunks=2, *,
                 rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.num_chunks = num_chunks
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _full_batch_moments(self, x):
        k = min(self.num_chunks, x.shape[0])
        return merge([chunk_moments(c) for c in jnp.array_split(x, k)])

    def __call__(self, x, use_running_average: bool = False):
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self._full_batch_moments(x)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return self.gamma[...] * (x - mean) * jax.lax.rsqrt(var + self.eps) + self.beta[...]
