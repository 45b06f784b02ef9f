"""Batch norm with statistics taken relative to the running mean.

Sensor channels sit on large constant offsets.  The running mean is a good guess of
these offsets, so a single sweep around it gives accurate first and second moments.
"""
import jax.numpy as jnp
from flax import nnx
from jax.lax import rsqrt, stop_gradient


class AnchoredBatchNorm(nnx.Module):
    """BatchNorm1d for offset-heavy inputs.

    Args:
      num_channels: number of sensor channels (last axis).
      momentum: weight of the old running value.
      eps: regulariser inside the square root.
    """

    def __init__(self, num_channels, momentum=0.95, eps=1e-5, *, rngs=None):
        self.num_channels = num_channels
        self.momentum = momentum
        self.eps = eps
        self.weight = nnx.Param(jnp.ones(num_channels))
        self.bias = nnx.Param(jnp.zeros(num_channels))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_channels))
        self.running_var = nnx.BatchStat(jnp.ones(num_channels))

    def _affine(self, x, mean, var):
        return (x - mean) * (rsqrt(var + self.eps) * self.weight[...]) + self.bias[...]

    def __call__(self, x, deterministic=False):
        if deterministic:
            return self._affine(x, self.running_mean[...], self.running_var[...])

        alpha = 1.0 - self.momentum
        anchor = self.running_mean
        d = x - stop_gradient(anchor[...])
        d1 = jnp.mean(d, axis=0)
        var = jnp.mean(jnp.square(d - d1), axis=0)

        # d1 is how far the batch lies from the running mean: move part of the way
        self.running_mean[...] += alpha * d1
        self.running_var[...] += alpha * (var - self.running_var[...])

        mean = stop_gradient(anchor[...]) + d1
        return self._affine(x, mean, var)
