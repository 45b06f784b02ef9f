from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Moments(NamedTuple):
    mean: jax.Array
    var: jax.Array


class NormLayer(nnx.Module):
    def __init__(self, features: int, *, momentum: float = 0.99, epsilon: float = 1e-3, rngs: nnx.Rngs):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(nnx.initializers.ones(rngs.params(), (features,)))
        self.bias = nnx.Param(nnx.initializers.zeros(rngs.params(), (features,)))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def batch_moments(self, x) -> Moments:
        mean = x.mean(axis=0)
        return Moments(mean, jnp.square(x - mean).mean(axis=0))

    def running_moments(self) -> Moments:
        return Moments(self.mean.value, self.var.value)

    def update(self, batch: Moments):
        decay = self.momentum
        self.mean.value = decay * self.mean.value + (1 - decay) * batch.mean
        self.var.value = decay * self.var.value + (1 - decay) * batch.var

    def __call__(self, x, use_running_average: bool = False):
        if use_running_average:
            stats = self.running_moments()
        else:
            stats = self.batch_moments(x)
            self.update(stats)
        inv = jax.lax.rsqrt(jnp.maximum(stats.var, self.epsilon))
        return (x - stats.mean) * inv * self.scale.value + self.bias.value
