"""Batch norm with a configurable feature axis.

``axis`` names the feature dimension; every other dimension is reduced.  With
the default ``axis=-1`` the layer works for (N, D) as well as (N, H, W, C).
"""
from typing import Optional, Sequence

import jax
import jax.numpy as jnp
from flax import nnx


class AxisBatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        *,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-5,
        rngs: Optional[nnx.Rngs] = None,
    ):
        self.num_features = num_features
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _reduction_axes(self, x: jax.Array) -> Sequence[int]:
        return tuple(i for i in range(x.ndim) if i != self.axis)

    def _expand(self, v: jax.Array, ndim: int) -> jax.Array:
        """Reshape a feature vector so that it broadcasts against x."""
        shape = [1] * ndim
        shape[self.axis] = self.num_features
        return jnp.broadcast_to(v, (self.num_features,)).reshape(shape)

    def __call__(self, x: jax.Array, deterministic: bool = False) -> jax.Array:
        if deterministic:
            mean, var = self.mean[...], self.var[...]
        else:
            axes = self._reduction_axes(x)
            mean = jnp.mean(x, axes)
            var = jnp.var(x, axes)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var

        inv = jax.lax.rsqrt(self._expand(var, x.ndim) + self.epsilon)
        y = (x - self._expand(mean, x.ndim)) * inv
        return y * self._expand(self.scale[...], x.ndim) + self._expand(
            self.bias[...], x.ndim)
