"""General-axis BatchNorm: (N, D), (N, T, D), (N, H, W, D) or channels-first.

Statistics are taken over all axes but the feature axis and kept as flat (D,) vectors;
`_expand` brings such a vector back to a shape that broadcasts against the input.
"""
from typing import Sequence, Union

import jax
import jax.numpy as jnp
from flax import nnx


def _canonicalize(axis: Union[int, Sequence[int]], ndim: int) -> tuple[int, ...]:
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    return tuple(sorted(a % ndim for a in axes))


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, axis: int = -1, momentum: float = 0.99,
                 epsilon: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.num_features = num_features
        self.axis = axis
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _expand(self, vector: jax.Array, ndim: int) -> jax.Array:
        shape = [1] * ndim
        shape[self.axis] = self.num_features
        return jnp.reshape(vector, shape)

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        feature_axes = _canonicalize(self.axis, x.ndim)
        reduction_axes = tuple(a for a in range(x.ndim) if a not in feature_axes)

        if use_running_average:
            mean = self._expand(self.mean[...], x.ndim)
            var = self._expand(self.var[...], x.ndim)
        else:
            mean = jnp.mean(x, axis=reduction_axes, keepdims=True)
            var = jnp.mean(jnp.square(x - mean), keepdims=True)
            m = self.momentum
            self.mean[...] = m * self.mean[...] + (1 - m) * mean.ravel()
            self.var[...] = m * self.var[...] + (1 - m) * var.ravel()

        y = (x - mean) * jax.lax.rsqrt(var + self.epsilon)
        return y * self._expand(self.scale[...], x.ndim) + self._expand(self.bias[...], x.ndim)
