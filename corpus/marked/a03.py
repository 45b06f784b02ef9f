from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass(frozen=True)
class BNConfig:
    num_features: int
    decay: float
    epsilon: float
    affine: bool = True


def ema(old: jax.Array, new: jax.Array, decay: float) -> jax.Array:
    """Exponential moving average; `decay` is the weight of the old value."""
    return decay * old + (1.0 - decay) * new


class ConfiguredBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.95, epsilon=1e-5, affine=True, rngs=None):
        self.cfg = BNConfig(num_features, momentum, epsilon, affine)
        shape = (num_features,)
        if affine:
            self.scale = nnx.Param(nnx.initializers.ones(jax.random.key(0), shape))
            self.bias = nnx.Param(nnx.initializers.zeros(jax.random.key(0), shape))
        self.ra_mean = nnx.BatchStat(jnp.zeros(shape))
        self.ra_var = nnx.BatchStat(jnp.ones(shape))

    def _statistics(self, x, is_training):
        if not is_training:
            return self.ra_mean[...], self.ra_var[...]
        mu = jnp.mean(x, axis=0)
        sigma2 = jnp.var(x, axis=0)
        cfg = self.cfg
        self.ra_mean[...] = ema(self.ra_mean[...], jax.lax.stop_gradient(mu), cfg.decay)
        self.ra_var[...] = ema(jax.lax.stop_gradient(sigma2), self.ra_var[...], cfg.decay)
        return mu, sigma2

    def __call__(self, x, is_training):
        mu, sigma2 = self._statistics(x, is_training)
        y = (x - mu) * jax.lax.rsqrt(sigma2 + self.cfg.epsilon)
        if self.cfg.affine:
            y = y * self.scale[...] + self.bias[...]
        return y
