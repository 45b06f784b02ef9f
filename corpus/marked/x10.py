"""Synchronised batch norm.

The local batch is split over `num_replicas` logical replicas that exchange
moments with collectives, so the layer gives the same numbers as on one device.
"""
import math

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

AXIS = "replica"


def _sync_moments(shard):
    """Moments over all replicas, as seen from one of them."""
    mean = lax.pmean(jnp.mean(shard, axis=0), AXIS)
    local_mean = jnp.mean(shard, axis=0)
    var = lax.pmean(jnp.mean(jnp.square(shard - local_mean), axis=0), AXIS)
    return mean, var


def _replica_step(shard, scale, bias, eps):
    mean, var = _sync_moments(shard)
    y = (shard - mean) * lax.rsqrt(var + eps) * scale + bias
    return y, mean, var


class SyncBatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        num_replicas: int = 4,
        rngs: nnx.Rngs | None = None,
    ):
        self.momentum = momentum
        self.epsilon = epsilon
        self.num_replicas = num_replicas
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _train(self, x):
        rows, features = x.shape
        # largest replica count that divides the batch evenly
        replicas = math.gcd(rows, self.num_replicas)
        shards = x.reshape(replicas, rows // replicas, features)
        step = jax.vmap(_replica_step, in_axes=(0, None, None, None), axis_name=AXIS)
        y, mean, var = step(shards, self.scale[...], self.bias[...], self.epsilon)
        # every replica holds the same moments after the exchange
        mean, var = lax.stop_gradient((mean[0], var[0]))
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return y.reshape(rows, features)

    def __call__(self, x, use_running_average: bool):
        if not use_running_average:
            return self._train(x)
        inv = lax.rsqrt(self.var[...] + self.epsilon) * self.scale[...]
        return (x - self.mean[...]) * inv + self.bias[...]
