"""Single-host emulation of cross-replica batch norm.

The batch is split over `num_replicas` virtual devices with vmap; the local
moments are all-reduced with pmean, exactly as they would be in a pmapped step.
"""
import math

import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx

AXIS = "replica"


def local_moments(shard):
    axes = tuple(range(shard.ndim - 1))
    mu = shard.mean(axes)
    sigma2 = jnp.square(shard - mu).mean(axes)
    return lax.pmean(mu, AXIS), lax.pmean(sigma2, AXIS)


def sync_moments(x, num_replicas):
    r = math.gcd(x.shape[0], num_replicas)
    shards = x.reshape((r, x.shape[0] // r) + x.shape[1:])
    mu, sigma2 = jax.vmap(local_moments, axis_name=AXIS)(shards)
    # every replica holds the same value after the reduction
    return mu[0], sigma2[0]


class SyncBatchNorm(nnx.Module):
    def __init__(self, num_features, num_replicas=4, momentum=0.9, eps=1e-5, *, rngs=None):
        self.num_replicas = num_replicas
        self.momentum = momentum
        self.eps = eps
        self.use_running_average = False
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x):
        if self.use_running_average:
            mu, sigma2 = self.running_mean[...], self.running_var[...]
        else:
            mu, sigma2 = sync_moments(x, self.num_replicas)
            for buf, val in ((self.running_mean, mu), (self.running_var, sigma2)):
                buf[...] = self.momentum * buf[...] + (1 - self.momentum) * val
        z = (x - mu) * lax.rsqrt(sigma2 + self.eps)
        return z * self.weight[...] + self.bias[...]
