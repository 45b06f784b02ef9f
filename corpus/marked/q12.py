from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


@dataclasses.dataclass(frozen=True)
class BatchNormConfig:
    num_features: int
    momentum: float = 0.9
    eps: float = 1e-5


def _compute_stats(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    mean = x.mean(0)
    var = lax.square(x - mean).mean(0)
    return mean, var


def _normalize(x, mean, var, gamma, beta, eps):
    y = x - mean
    mul = lax.rsqrt(var + eps) * gamma
    return y * mul + beta


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs | None = None):
        self.cfg = BatchNormConfig(num_features, momentum, eps)
        shape = (num_features,)
        self.gamma = nnx.Param(jnp.ones(shape))
        self.beta = nnx.Param(jnp.zeros(shape))
        self.running_mean = nnx.BatchStat(jnp.zeros(shape))
        self.running_var = nnx.BatchStat(jnp.ones(shape))

    def _apply(self, x, mean, var):
        return _normalize(x, mean, var, self.gamma[...], self.beta[...], self.cfg.eps)

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        if use_running_average:
            return self._apply(x, self.running_mean[...], self.running_var[...])

        mean, var = _compute_stats(x)
        mean, var = lax.stop_gradient((mean, var))
        out = self._apply(x, mean, var)
        m = self.cfg.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return out
