"""Streaming batch norm: Welford's recurrence over the rows with lax.scan.

Numerically this is the safest single-pass formula; we use it because the
rows come from a host pipeline and may have a large common offset.
"""
import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def welford(x):
    """Return (mean, biased variance) over the leading axis of ``x``."""
    d = x.shape[1:]

    def step(carry, row):
        count, mean, m2 = carry
        count = count + 1.0
        delta = row - mean
        mean = mean + delta / count
        m2 = m2 + delta * delta
        return (count, mean, m2), None

    init = (jnp.zeros((), x.dtype), jnp.zeros(d, x.dtype), jnp.zeros(d, x.dtype))
    (count, mean, m2), _ = lax.scan(step, init, x)
    return mean, m2 / count


class WelfordBatchNorm(nnx.Module):
    """Batch normalisation with streaming statistics.

    Args:
      features: number of columns.
      decay: weight kept by the running statistics at each update.
      eps: variance floor.
    """

    def __init__(self, features, decay=0.9, eps=1e-5, rngs=None):
        self.decay = decay
        self.eps = eps
        self.g = nnx.Param(jnp.ones(features))
        self.b = nnx.Param(jnp.zeros(features))
        self.ra_mean = nnx.BatchStat(jnp.zeros(features))
        self.ra_var = nnx.BatchStat(jnp.ones(features))

    def update(self, mean, var):
        self.ra_mean[...] = self.decay * self.ra_mean[...] + (1 - self.decay) * mean
        self.ra_var[...] = self.decay * self.ra_var[...] + (1 - self.decay) * var

    def __call__(self, x, train=True):
        if train:
            mean, var = welford(x)
            self.update(mean, var)
        else:
            mean = self.ra_mean[...]
            var = self.ra_var[...]
        return self.g[...] * (x - mean) * lax.rsqrt(var + self.eps) + self.b[...]
