from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class FoldedBatchNorm(nnx.Module):
    """Batch norm that collapses to a single multiply-add at inference."""

    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def folded(self) -> tuple[jax.Array, jax.Array]:
        gamma, beta = self.gamma.value, self.beta.value
        a = gamma * jax.lax.rsqrt(self.running_var.value + self.eps)
        b = beta - self.running_mean.value * gamma
        return a, b

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        if use_running_average:
            a, b = self.folded()
            return a * x + b

        mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
        self.running_mean.value = self._blend(self.running_mean.value, mean)
        self.running_var.value = self._blend(self.running_var.value, var)
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma.value * x_hat + self.beta.value

    def _blend(self, old: jax.Array, new: jax.Array) -> jax.Array:
        return old * self.momentum + new * (1 - self.momentum)
