from typing import Tuple

import jax
import jax.numpy as jnp
from flax import nnx


def reduction_axes(x: jax.Array) -> Tuple[int, ...]:
    """Every axis that the statistics are taken over."""
    return tuple(range(x.ndim))


def feature_stats(x: jax.Array) -> Tuple[jax.Array, jax.Array]:
    axes = reduction_axes(x)
    mean = jnp.mean(x, axis=axes)
    var = jnp.mean(jnp.square(x - mean), axis=axes)
    return mean, var


class GenericBatchNorm(nnx.Module):
    """Batch norm with the features on the last axis."""

    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        shape = (num_features,)
        self.gamma = nnx.Param(nnx.initializers.ones(jax.random.key(0), shape))
        self.beta = nnx.Param(nnx.initializers.zeros(jax.random.key(0), shape))
        self.mean = nnx.BatchStat(jnp.zeros(shape))
        self.var = nnx.BatchStat(jnp.ones(shape))

    def update_stats(self, *, mean: jax.Array, var: jax.Array) -> None:
        keep, take = self.momentum, 1.0 - self.momentum
        self.mean[...] = keep * self.mean[...] + take * jax.lax.stop_gradient(mean)
        self.var[...] = keep * self.var[...] + take * jax.lax.stop_gradient(var)

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = feature_stats(x)
            self.update_stats(mean=mean, var=var)
        x = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return x * self.gamma[...] + self.beta[...]
