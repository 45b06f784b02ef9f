"""3-D batch norm for volumes (N, D, H, W, C)."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm3d(nnx.Module):
    def __init__(self, n_channels: int, alpha: float = 0.9, epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        self.gamma = nnx.Param(jnp.ones((n_channels,)))
        self.beta = nnx.Param(jnp.zeros((n_channels,)))
        self.avg_mean = nnx.BatchStat(jnp.zeros((n_channels,)))
        self.avg_var = nnx.BatchStat(jnp.ones((n_channels,)))
        self.alpha = alpha
        self.epsilon = epsilon

    def __call__(self, vol: jax.Array, train: bool = False) -> jax.Array:
        n, d, h, w, c = vol.shape
        if train:
            flat = vol.reshape(n * d * h * w, c)
            mean = flat.mean(axis=0)
            var = flat.var(axis=0)
            self.avg_mean[...] = jax.lax.stop_gradient(self.alpha * self.avg_mean + (1 - self.alpha) * mean)
            self.avg_var[...] = jax.lax.stop_gradient(self.alpha * self.avg_var + (1 - self.alpha) * var)
        else:
            mean = self.avg_mean[...]
            var = self.avg_var[...]
        out = (vol - mean) * jax.lax.rsqrt(var + self.epsilon)
        return out * self.gamma[...] + self.beta[...]
