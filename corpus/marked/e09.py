from functools import wraps

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def range_safe(fn):
    """Evaluate fn on columns brought to a peak magnitude of one."""

    @wraps(fn)
    def wrapped(x):
        peak = lax.stop_gradient(jnp.max(jnp.abs(x), axis=0))
        unit = jnp.where(peak > 0, peak, jnp.ones_like(peak))
        return jax.tree.map(lambda moment: moment * unit, fn(x / unit))

    return wrapped


@range_safe
def batch_moments(x):
    mean = jnp.mean(x, axis=0)
    return mean, jnp.mean(jnp.square(x - mean), axis=0)


def tracked(method):
    def wrapped(self, x, use_running_average=False):
        if use_running_average:
            return method(self, x, self.mean[...], self.var[...])
        mean, var = batch_moments(x)
        for slot, value in zip((self.mean, self.var), (mean, var)):
            slot[...] = self.momentum * slot[...] + (1 - self.momentum) * lax.stop_gradient(value)
        return method(self, x, mean, var)

    return wrapped


class RangeSafeBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    @tracked
    def __call__(self, x, mean, var):
        return (x - mean) * lax.rsqrt(var + self.eps) * self.scale[...] + self.bias[...]
