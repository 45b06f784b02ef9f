"""BatchNorm with a mixed-precision policy.

Inputs may arrive in half precision; statistics, parameters and running
averages are kept in float32 and the result has the dtype of the input.
"""
import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class Policy:
    stats_dtype: jnp.dtype = jnp.bfloat16
    param_dtype: jnp.dtype = jnp.float32


class MixedPrecisionBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5,
                 policy: Policy = Policy(), *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.policy = policy
        ones = jnp.ones((num_features,), policy.param_dtype)
        self.scale = nnx.Param(ones)
        self.bias = nnx.Param(jnp.zeros_like(ones))
        self.mean = nnx.BatchStat(jnp.zeros_like(ones))
        self.var = nnx.BatchStat(jnp.ones_like(ones))

    def _moments(self, x):
        xs = x.astype(self.policy.stats_dtype)
        mean = jnp.mean(xs, axis=0)
        var = jnp.mean(jnp.square(xs - mean), axis=0)
        return mean.astype(jnp.float32), var.astype(jnp.float32)

    def __call__(self, x, train: bool = True):
        if train:
            mean, var = self._moments(x)
            a = self.momentum
            self.mean[...] = a * self.mean[...] + (1.0 - a) * mean
            self.var[...] = a * self.var[...] + (1.0 - a) * var
        else:
            mean, var = self.mean[...], self.var[...]
        y = (x.astype(jnp.float32) - mean) * jax.lax.rsqrt(var + self.epsilon)
        y = y * self.scale[...] + self.bias[...]
        return y.astype(x.dtype)
