"""Batch normalisation, one feature at a time, lifted with vmap."""
import jax
import jax.numpy as jnp
from flax import nnx


def _moments(column):
    mu = column.mean()
    return mu, ((column - mu) ** 2).mean()


def _apply(column, mu, var, gamma, beta, eps):
    return gamma * (column - mu) * jax.lax.rsqrt(var + eps) + beta


class VmapBatchNorm(nnx.Module):
    """
    Args:
      num_features: width D of the (N, D) input.
      momentum: decay rate of the running averages; 0.99 keeps 99% of the
        old average at every training step.
      eps: added to the variance.
    """

    def __init__(self, num_features, *, momentum=0.99, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x, is_training):
        if is_training:
            mu, var = jax.vmap(_moments, in_axes=1)(x)
            keep = 1.0 - self.momentum
            self.mean[...] = keep * self.mean[...] + (1.0 - keep) * mu
            self.var[...] = keep * self.var[...] + (1.0 - keep) * var
        else:
            mu, var = self.mean[...], self.var[...]

        over_features = jax.vmap(
            _apply, in_axes=(1, 0, 0, 0, 0, None), out_axes=1)
        return over_features(
            x, mu, var, self.gamma[...], self.beta[...], self.eps)
