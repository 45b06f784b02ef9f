"""Normalisation primitive shared by our norm layers, and BatchNorm built on it.

`standardize` takes the statistics as inputs and returns one cotangent for each of
them.  Where they came from (batch, running average, another device) is the caller's
business: JAX chains the cotangents onwards.
"""
import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def standardize(x, mean, var, eps):
    """(x - mean) / sqrt(var + eps), with mean and var of shape (D,)."""
    return (x - mean) / jnp.sqrt(var + eps)


def _standardize_fwd(x, mean, var, eps):
    istd = jax.lax.rsqrt(var + eps)
    delta = x - mean
    return delta * istd, (delta, istd)


def _standardize_bwd(res, g):
    delta, istd = res
    g_x = g * istd
    g_mean = -g_x.sum(axis=0)
    g_var = -0.5 * (g * delta).sum(axis=0) * istd
    return g_x, g_mean, g_var, jnp.zeros(())


standardize.defvjp(_standardize_fwd, _standardize_bwd)


class RunningStat(nnx.BatchStat):
    """Marks running averages, so that checkpoints can filter on them."""

    def blend(self, new, keep):
        self.set_value(keep * self.get_value() + (1.0 - keep) * new)


class BatchNorm(nnx.Module):
    def __init__(self, dim: int, *, momentum: float = 0.9, eps: float = 1e-5,
                 rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((dim,)))
        self.bias = nnx.Param(jnp.zeros((dim,)))
        self.mean = RunningStat(jnp.zeros((dim,)))
        self.var = RunningStat(jnp.ones((dim,)))

    def __call__(self, x: jax.Array, train: bool = True) -> jax.Array:
        if train:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean((x - mean) ** 2, axis=0)
            self.mean.blend(mean, self.momentum)
            self.var.blend(var, self.momentum)
        else:
            mean, var = self.mean.get_value(), self.var.get_value()
        z = standardize(x, mean, var, self.eps)
        return z * self.scale.get_value() + self.bias.get_value()
