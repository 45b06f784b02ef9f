"""Normalization used in the GAN discriminator experiments."""
import jax.numpy as jnp
from flax import nnx


def batch_moments(h):
    mu = h.mean(axis=0)
    return mu, ((h - mu) ** 2).mean(axis=0)


def lerp(a, b, t):
    return a + t * (b - a)


class DiscriminatorNorm(nnx.Module):
    """Batch normalization with learned gain and offset.

    Args:
        dim: width of the hidden layer.
        momentum: weight of the previous moving averages.
        eps: added to the variance.
    """

    def __init__(self, dim, momentum=0.9, eps=1e-4, rngs=None):
        self.dim = dim
        self.momentum = momentum
        self.eps = eps
        self.gain = nnx.Param(jnp.ones(dim))
        self.offset = nnx.Param(jnp.zeros(dim))
        self.ema_mean = nnx.BatchStat(jnp.zeros(dim))
        self.ema_var = nnx.BatchStat(jnp.ones(dim))

    def _accumulate(self, mu, sq):
        rate = 1.0 - self.momentum
        self.ema_mean.set_value(lerp(self.ema_mean.get_value(), mu, rate))
        self.ema_var.set_value(lerp(self.ema_var.get_value(), sq, rate))

    def __call__(self, h, is_training):
        if is_training:
            mu, sq = batch_moments(h)
            self._accumulate(mu, sq)
        mu, sq = self.ema_mean.get_value(), self.ema_var.get_value()
        z = (h - mu) / jnp.sqrt(sq + self.eps)
        return z * self.gain[...] + self.offset[...]
