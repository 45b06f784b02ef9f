from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx

DEFAULTS = {"momentum": 0.9, "epsilon": 1e-5, "dtype": jnp.float32}


@dataclass(frozen=True)
class NormSettings:
    num_features: int
    momentum: float
    epsilon: float
    dtype: type

    @classmethod
    def resolve(cls, num_features, overrides):
        return cls(num_features=num_features, **(overrides | DEFAULTS))

    def constant(self, value):
        return jnp.full((self.num_features,), value, dtype=self.dtype)

    def average(self, old, new):
        return self.momentum * old + (1.0 - self.momentum) * jax.lax.stop_gradient(new)

    def standardize(self, x, mean, var):
        return (x - mean) / jnp.sqrt(var + self.epsilon)


class ConfiguredBatchNorm(nnx.Module):
    """Options: momentum, epsilon, dtype."""

    def __init__(self, num_features, *, rngs=None, **overrides):
        settings = NormSettings.resolve(num_features, overrides)
        self.settings = settings
        self.scale = nnx.Param(settings.constant(1.0))
        self.bias = nnx.Param(settings.constant(0.0))
        self.mean = nnx.BatchStat(settings.constant(0.0))
        self.var = nnx.BatchStat(settings.constant(1.0))

    def __call__(self, x, *, use_running_average=False):
        cfg = self.settings
        mean, var = self.mean[...], self.var[...]
        if not use_running_average:
            batch_mean, batch_var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
            self.mean[...] = cfg.average(mean, batch_mean)
            self.var[...] = cfg.average(var, batch_var)
            mean, var = batch_mean, batch_var
        return cfg.standardize(x, mean, var) * self.scale[...] + self.bias[...]
