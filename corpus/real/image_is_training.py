"""2-D batch norm for images in NHWC."""

import jax.numpy as jnp
from flax import nnx
from jax.lax import stop_gradient


class BatchNorm2d(nnx.Module):
    """Input: (batch, height, width, channels)."""

    def __init__(self, channels, ema_rate=0.95, eps=1e-3, *, rngs=None):
        del rngs  # nothing random
        self.gamma = nnx.Param(jnp.ones(channels))
        self.beta = nnx.Param(jnp.zeros(channels))
        self.moving_mean = nnx.BatchStat(jnp.zeros(channels))
        self.moving_var = nnx.BatchStat(jnp.ones(channels))
        self.ema_rate = ema_rate
        self.eps = eps

    def __call__(self, x, is_training):
        b, h, w, c = x.shape
        if is_training:
            mean = jnp.mean(x, axis=(0, 1, 2))
            var = jnp.var(x, axis=(0, 1, 2))
            r = self.ema_rate
            self.moving_mean.value = stop_gradient(r * self.moving_mean.value + (1 - r) * mean)
            self.moving_var.value = stop_gradient(r * self.moving_var.value + (1 - r) * var)
        else:
            mean, var = self.moving_mean.value, self.moving_var.value
        normed = (x - mean) / jnp.sqrt(var + self.eps)
        return normed * self.gamma.value + self.beta.value
