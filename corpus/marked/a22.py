"""Batch norm with shifted moments.

E[x^2] - E[x]^2 loses digits when the mean is large, so everything is computed on
d = x - x[0], which has the same variance.
"""
import jax
import jax.numpy as jnp
from flax import nnx


def shifted_moments(x):
    """Returns d = x - shift, the mean of d, and the variance of x."""
    shift = jax.lax.stop_gradient(x[:1])
    d = x - shift
    m = d.mean(axis=0)
    var = jnp.maximum((d * d).mean(axis=0) - m * m, 0.0)
    return d, m, var


class ShiftedBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))
        self.avg_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.avg_var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, train):
        if train:
            d, m, var = shifted_moments(x)
            self.avg_mean[...] = self._decay(self.avg_mean[...], m)
            self.avg_var[...] = self._decay(self.avg_var[...], var)
            centered = d - m
        else:
            centered = x - self.avg_mean[...]
            var = self.avg_var[...]
        return centered * jax.lax.rsqrt(var + self.eps) * self.scale[...] + self.bias[...]

    def _decay(self, avg, value):
        return avg - (1 - self.momentum) * (avg - value)
