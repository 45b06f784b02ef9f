from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

DEFAULT_MOMENTUM = 0.9
DEFAULT_EPS = 1e-5
MIN_VAR = 1e-2


def safe_moments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and biased variance of every column."""
    mean = jnp.mean(x, axis=0)
    var = jnp.mean(jnp.square(x - mean), axis=0)
    return mean, jnp.maximum(var, MIN_VAR)


class StableBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = DEFAULT_MOMENTUM,
                 eps: float = DEFAULT_EPS, *, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _observe(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, var = safe_moments(x)
        m = self.momentum
        self.mean.value = m * self.mean.value + (1.0 - m) * jax.lax.stop_gradient(mean)
        self.var.value = m * self.var.value + (1.0 - m) * jax.lax.stop_gradient(var)
        return mean, var

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        if use_running_average:
            mean, var = self.mean.value, self.var.value
        else:
            mean, var = self._observe(x)
        return self.gamma.value * (x - mean) / jnp.sqrt(var + self.eps) + self.beta.value
