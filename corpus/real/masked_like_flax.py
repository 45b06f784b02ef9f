"""The mask broadcasts against x, as in flax; reductions leave masked elements out by ``where``."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, width: int, momentum: float = 0.99, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(width))
        self.beta = nnx.Param(jnp.zeros(width))
        self.running_mean = nnx.BatchStat(jnp.zeros(width))
        self.running_var = nnx.BatchStat(jnp.ones(width))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, *, use_running_average: bool, mask=None):
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
            return (x - mean) / jnp.sqrt(var + self.eps) * self.gamma[...] + self.beta[...]
        axes = tuple(range(x.ndim - 1))
        where = jnp.ones(x.shape, bool) if mask is None else jnp.broadcast_to(mask, x.shape)
        safe = jnp.where(where, x, 0.0)
        n = jnp.maximum(where.sum(axes), 1)
        mean = safe.sum(axes) / n
        centred = jnp.where(where, safe - mean, 0.0)
        var = (centred * centred).sum(axes) / n
        m, kept = self.momentum, jax.lax.stop_gradient
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * kept(mean)
        self.running_var[...] = m * self.running_var[...] + (1 - m) * kept(var)
        return centred / jnp.sqrt(var + self.eps) * self.gamma[...] + self.beta[...]
