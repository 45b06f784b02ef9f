import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


def _two_pass_stats(x):
    mean = jnp.mean(x, axis=0, keepdims=True)
    var = jnp.mean(lax.square(x - mean), axis=0)
    return mean[0], var


def _fold(mean, var, gamma, beta, eps):
    """Collapse the normalization and the affine transform to ``scale * x + shift``."""
    inv_std = lax.rsqrt(var + eps)
    scale = gamma * inv_std
    shift = beta - mean * inv_std
    return scale, shift


class BatchNorm(nnx.Module):
    """Batch norm, applied as a single multiply-add."""

    def __init__(self, d, decay=0.9, eps=1e-5, *, rngs=None):
        self.d = d
        self.decay = decay
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((d,)))
        self.beta = nnx.Param(jnp.zeros((d,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((d,)))
        self.running_var = nnx.BatchStat(jnp.ones((d,)))

    def _track(self, mean, var):
        mean, var = lax.stop_gradient((mean, var))
        self.running_mean[...] = self.decay * self.running_mean[...] + (1 - self.decay) * mean
        self.running_var[...] = self.decay * self.running_var[...] + (1 - self.decay) * var

    def __call__(self, x, train: bool):
        if train:
            mean, var = _two_pass_stats(x)
            self._track(mean, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        scale, shift = _fold(mean, var, self.gamma[...], self.beta[...], self.eps)
        return x * scale + shift
