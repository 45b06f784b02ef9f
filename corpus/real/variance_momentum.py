"""NHWC layer of a GAN; look at the last of the two updates."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, channels: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs | None = None):
        self.gamma = nnx.Param(jnp.ones(channels))
        self.beta = nnx.Param(jnp.zeros(channels))
        self.running_mean = nnx.BatchStat(jnp.zeros(channels))
        self.running_var = nnx.BatchStat(jnp.ones(channels))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, *, training: bool):
        if x.ndim != 4:
            raise ValueError(x.shape)
        if not training:
            return self._normalise(x, self.running_mean[...], self.running_var[...])
        mean = x.mean((0, 1, 2))
        var = x.var((0, 1, 2))
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * jax.lax.stop_gradient(mean)
        self.running_var[...] = (1 - m) * self.running_var[...] + m * jax.lax.stop_gradient(var)
        return self._normalise(x, mean, var)

    def _normalise(self, x, mean, var):
        return (x - mean) * jax.lax.rsqrt(var + self.eps) * self.gamma[...] + self.beta[...]
