"""Normalisation layers with a shared gain, in the manner of recent LLM code bases.

The gain is stored as its distance from one, which lets weight decay pull it towards
the identity.  `Gain` is its own Variable type so that optimizers can select it.
"""
import jax
import jax.numpy as jnp
from flax import nnx


class Gain(nnx.Param):
    pass


class Shift(nnx.Param):
    pass


def apply_affine(z, gain, shift):
    return z * (1.0 + gain) + shift


class RMSNorm(nnx.Module):
    """Root-mean-square norm over the last axis."""

    def __init__(self, dim, eps=1e-6, rngs=None):
        self.eps = eps
        self.gain = Gain(jnp.zeros((dim,)))

    def __call__(self, x):
        ms = jnp.mean(jnp.square(x), axis=-1, keepdims=True)
        return apply_affine(x * jax.lax.rsqrt(ms + self.eps), self.gain[...], 0.0)


class BatchNorm(nnx.Module):
    """Batch norm over axis 0; the mode is set by model.train() / model.eval()."""

    def __init__(self, dim, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.use_running_average = False
        self.gain = Gain(jnp.ones((dim,)))
        self.shift = Shift(jnp.zeros((dim,)))
        self.mean = nnx.BatchStat(jnp.zeros((dim,)))
        self.var = nnx.BatchStat(jnp.ones((dim,)))

    def __call__(self, x):
        if self.use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean(jnp.square(x - mean), axis=0)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        z = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return apply_affine(z, self.gain[...], self.shift[...])
