"""Batch norm with one-pass moments.

The two reductions (sum of x and sum of x^2) share a single read of the
input.  To avoid the cancellation of E[x^2] - E[x]^2 the data are first
shifted by the current running mean, which after a few steps is close to the
batch mean.
"""
import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class BatchMoments:
    mean: jax.Array
    var: jax.Array

    def standardise(self, x, eps):
        return (x - self.mean) * jax.lax.rsqrt(self.var + eps)


class OnePassBatchNorm(nnx.Module):
    """y = scale * (x - mean) / sqrt(var + epsilon) + bias."""

    def __init__(self, features: int, momentum: float = 0.99,
                 epsilon: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def _ema(self, stat: nnx.BatchStat, value: jax.Array):
        stat[...] = self.momentum * stat[...] + (1 - self.momentum) * value

    def _collect(self, x) -> BatchMoments:
        """Moments of the batch; folds them into the running averages."""
        shifted = x - self.mean[...]
        first = jnp.mean(shifted, axis=0)
        second = jnp.mean(shifted * shifted, axis=0)

        mean = self.mean[...] + first
        self._ema(self.mean, mean)

        var = second - jnp.square(mean - self.mean[...])
        self._ema(self.var, var)
        return BatchMoments(mean, var)

    def __call__(self, x: jax.Array, use_running_average: bool = False):
        if use_running_average:
            moments = BatchMoments(self.mean[...], self.var[...])
        else:
            moments = self._collect(x)
        return self.scale[...] * moments.standardise(x, self.epsilon) + self.bias[...]
