"""Normalises over all axes but the last, in the manner of flax."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(
        self,
        *,
        num_features: int,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        rngs: nnx.Rngs,
    ) -> None:
        self.scale = nnx.Param(nnx.initializers.ones(rngs.params(), (num_features,)))
        self.bias = nnx.Param(nnx.initializers.zeros(rngs.params(), (num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.epsilon = epsilon

    def _moments(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        axes = tuple(range(x.ndim - 1))
        return x.mean(axes), x.var(axes)

    def _track(self, stat: nnx.BatchStat, new: jax.Array) -> None:
        new = jax.lax.stop_gradient(new)
        stat[...] = self.momentum * stat[...] + (1 - self.momentum) * new

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        if train:
            mean, var = self._moments(x)
            self._track(self.running_mean, mean)
            self._track(self.running_var, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return (x - mean) * jax.lax.rsqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
