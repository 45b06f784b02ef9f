from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx


@dataclass(frozen=True)
class BatchNormConfig:
    features: int
    momentum: float = 0.99
    epsilon: float = 1e-5


class BatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.99, epsilon=1e-5, *, rngs):
        self.config = BatchNormConfig(features, momentum, epsilon)
        self.scale = nnx.Param(jnp.ones((features,), dtype=jnp.float32))
        self.bias = nnx.Param(jnp.zeros((features,), dtype=jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((features,), dtype=jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((features,), dtype=jnp.float32))

    def moments(self, x):
        mean = jnp.mean(x.astype(jnp.float32), axis=0)
        mean_sq = jnp.mean(jnp.square(x.astype(jnp.bfloat16)), axis=0)
        var = jnp.maximum(mean_sq - jnp.square(mean), 0.0)
        return mean, var

    def __call__(self, x, use_running_average=False):
        cfg = self.config
        if use_running_average:
            mean, var = self.mean.value, self.var.value
        else:
            mean, var = self.moments(x)
            self.mean.value = cfg.momentum * self.mean.value + (1 - cfg.momentum) * mean
            self.var.value = cfg.momentum * self.var.value + (1 - cfg.momentum) * var
        y = (x - mean) * jax.lax.rsqrt(var + cfg.epsilon)
        return (y * self.scale.value + self.bias.value).astype(x.dtype)
