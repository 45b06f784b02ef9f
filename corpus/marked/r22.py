from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


def einsum_moments(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Per-feature mean and variance, written as contractions for the MXU."""
    n = x.size
    mean = jnp.einsum("nd->d", x) / n
    xc = x - mean
    var = jnp.einsum("nd,nd->d", xc, xc) / n
    return mean, var


class EinsumBatchNorm(nnx.Module):
    gamma: nnx.Param
    beta: nnx.Param
    running_mean: nnx.BatchStat
    running_var: nnx.BatchStat

    def __init__(self, num_features: int, *, momentum: float = 0.9,
                 eps: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def ema(self, stat: nnx.BatchStat, value: jax.Array) -> None:
        stat[...] = self.momentum * stat[...] + (1.0 - self.momentum) * value

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = einsum_moments(x)
            self.ema(self.running_mean, mean)
            self.ema(self.running_var, var)
        scale = self.gamma[...] * jax.lax.rsqrt(var + self.eps)
        return jnp.einsum("nd,d->nd", x - mean, scale) + self.beta[...]
