import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class Policy:
    """What is held in which precision (after jmp.Policy)."""
    param: jnp.dtype = jnp.float32
    stats: jnp.dtype = jnp.float32
    activation: jnp.dtype = jnp.bfloat16


class PolicyBatchNorm(nnx.Module):
    """Takes float32 or half activations, hands on `policy.activation`."""

    def __init__(self, num_features, *, policy=Policy(), momentum=0.99, epsilon=1e-5, rngs=None):
        self.policy = policy
        self.momentum = momentum
        self.epsilon = epsilon
        self.training = True
        self.scale = nnx.Param(jnp.ones((num_features,), policy.param))
        self.bias = nnx.Param(jnp.zeros((num_features,), policy.param))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), policy.stats))
        self.var = nnx.BatchStat(jnp.ones((num_features,), policy.stats))

    def set_mode(self, training):
        self.training = training

    def _batch_stats(self, x):
        axes = tuple(range(x.ndim - 1))
        x = x.astype(self.policy.stats)
        mean = x.mean(axes)
        return mean, jnp.square(x - mean).mean(axes)

    def _update(self, mean, var):
        m = self.momentum
        self.mean[...] = m * self.mean[...] + (1 - m) * mean
        self.var[...] = m * self.var[...] + (1 - m) * var

    def __call__(self, x):
        x = jnp.asarray(x, self.policy.activation)
        if self.training:
            mean, var = self._batch_stats(x)
            self._update(mean, var)
        else:
            mean, var = self.mean[...], self.var[...]
        y = (x.astype(self.policy.stats) - mean) * jax.lax.rsqrt(var + self.epsilon)
        y = y * self.scale[...] + self.bias[...]
        return y.astype(self.policy.activation)
