import jax
import jax.numpy as jnp
from flax import nnx


def column_stats(col):
    mu = col.mean()
    return mu, jnp.mean((col - mu) ** 2)


def column_affine(col, mu, var, gamma, beta, eps):
    return gamma * (col - mu) / jnp.sqrt(var + eps) + beta


class VmapBatchNorm(nnx.Module):
    def __init__(self, features, *, momentum=0.9, eps=1e-5, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mu, var = self.mean.value, self.var.value
        else:
            mu, var = jax.vmap(column_stats, in_axes=1)(x)
            m = self.momentum
            self.mean.value = m * self.mean.value + (1 - m) * mu
            self.var.value = m * self.var.value + (1 - m) * var
        affine = jax.vmap(column_affine, in_axes=(1, 0, 0, 0, 0, None), out_axes=1)
        return affine(x, mu, var, self.beta.value, self.gamma.value, self.eps)
