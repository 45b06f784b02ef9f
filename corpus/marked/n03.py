"""Batch norm configured through a frozen dataclass."""
import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class NormConfig:
    features: int
    momentum: float = 0.9
    eps: float = 1e-5

    def __post_init__(self):
        if self.features <= 0:
            raise ValueError("features must be positive")
        if not 0.0 <= self.momentum <= 1.0:
            raise ValueError("momentum must lie in [0, 1]")


class ConfiguredBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        cfg = NormConfig(features=num_features, momentum=momentum, eps=eps)
        self.eps = cfg.eps
        self.keep = 1.0 - cfg.momentum
        shape = (cfg.features,)
        self.scale = nnx.Param(jnp.ones(shape))
        self.bias = nnx.Param(jnp.zeros(shape))
        self.mean = nnx.BatchStat(jnp.zeros(shape))
        self.var = nnx.BatchStat(jnp.ones(shape))

    def _observe(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.mean((x - mean) ** 2, axis=0)
        return mean, var

    def _track(self, stat, value):
        value = jax.lax.stop_gradient(value)
        stat.value = self.keep * stat.value + (1.0 - self.keep) * value

    def __call__(self, x, training: bool):
        if training:
            mean, var = self._observe(x)
            self._track(self.mean, mean)
            self._track(self.var, var)
        else:
            mean, var = self.mean.value, self.var.value
        inv = jax.lax.rsqrt(var + self.eps)
        return (x - mean) * inv * self.scale.value + self.bias.value
