"""BatchNorm configured through a frozen dataclass."""
import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class NormConfig:
    num_features: int
    momentum: float = 0.99
    epsilon: float = 1e-5
    param_dtype: jnp.dtype = jnp.float32

    def filled(self, value):
        return jnp.full((self.num_features,), value, dtype=self.param_dtype)


class ConfiguredBatchNorm(nnx.Module):
    def __init__(self, num_features, *, rngs=None, **options):
        self.config = NormConfig(num_features, **options)
        c = self.config
        self.scale = nnx.Param(c.filled(1.0))
        self.bias = nnx.Param(c.filled(0.0))
        self.mean = nnx.BatchStat(c.filled(0.0))
        self.var = nnx.BatchStat(c.filled(0.0))

    def _select(self, x, training):
        if not training:
            return self.mean[...], self.var[...]
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0)
        keep = self.config.momentum
        self.mean[...] = keep * self.mean[...] + (1.0 - keep) * mean
        self.var[...] = keep * self.var[...] + (1.0 - keep) * var
        return mean, var

    def __call__(self, x, training: bool):
        mean, var = self._select(x, training)
        x_hat = (x - mean) * jax.lax.rsqrt(var + self.config.epsilon)
        return self.scale[...] * x_hat + self.bias[...]
