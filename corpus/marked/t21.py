import jax
import jax.numpy as jnp
from flax import nnx


def column_moments(col):
    n = col.shape[0]
    mean = jnp.sum(col) / n
    d = col - mean
    return mean, jnp.dot(d, d) / (n - 1)


def column_normalize(col, mean, var, g, b, eps):
    return g * (col - mean) / jnp.sqrt(var + eps) + b


class VmapBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.g = nnx.Param(jnp.ones(num_features))
        self.b = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, training=True):
        if training:
            mean, var = jax.vmap(column_moments, in_axes=1)(x)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        else:
            mean, var = self.mean[...], self.var[...]
        apply = jax.vmap(column_normalize, in_axes=(1, 0, 0, 0, 0, None), out_axes=1)
        return apply(x, mean, var, self.g[...], self.b[...], self.eps)
