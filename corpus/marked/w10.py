"""Batch norm that gathers its moments from micro-batches.

A ``MomentAccumulator`` is filled chunk by chunk, which keeps the peak size of
the temporaries independent of the batch size.  The sums are taken about a
pivot (the first row), as usual for a single pass.
"""
import jax
import jax.numpy as jnp
from flax import nnx


class Accum(nnx.Variable):
    """Scratch buffers; not checkpointed."""


class MomentAccumulator(nnx.Module):
    def __init__(self, dim):
        self.count = Accum(jnp.zeros(()))
        self.pivot = Accum(jnp.zeros(dim))
        self.total = Accum(jnp.zeros(dim))
        self.sq_total = Accum(jnp.zeros(dim))

    def reset(self, pivot):
        self.pivot[...] = pivot
        self.count[...] = jnp.zeros_like(self.count[...])
        self.total[...] = jnp.zeros_like(pivot)

    def add(self, chunk):
        d = chunk - self.pivot[...]
        self.count[...] += chunk.shape[0]
        self.total[...] += d.sum(axis=0)
        self.sq_total[...] += jnp.square(d).sum(axis=0)

    def moments(self):
        m1 = self.total[...] / self.count[...]
        var = self.sq_total[...] / self.count[...] - jnp.square(m1)
        return self.pivot[...] + m1, var


class MicroBatchNorm(nnx.Module):
    """Batch norm over (N, D); ``chunk`` rows are visited at a time."""

    def __init__(self, dim, momentum=0.9, eps=1e-5, chunk=32, *, rngs=None):
        self.momentum, self.eps, self.chunk = momentum, eps, chunk
        self.acc = MomentAccumulator(dim)
        self.gamma = nnx.Param(jnp.ones(dim))
        self.beta = nnx.Param(jnp.zeros(dim))
        self.running_mean = nnx.BatchStat(jnp.zeros(dim))
        self.running_var = nnx.BatchStat(jnp.ones(dim))

    def batch_moments(self, x):
        self.acc.reset(x[0])
        for start in range(0, x.shape[0], self.chunk):
            self.acc.add(x[start:start + self.chunk])
        return self.acc.moments()

    def __call__(self, x, deterministic=False):
        if deterministic:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = self.batch_moments(x)
            keep = self.momentum
            self.running_mean[...] = keep * self.running_mean[...] + (1 - keep) * mean
            self.running_var[...] = keep * self.running_var[...] + (1 - keep) * var
        return self.gamma[...] * (x - mean) * jax.lax.rsqrt(var + self.eps) + self.beta[...]
