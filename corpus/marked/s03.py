"""Batch norm for nnx, split in the two helpers that linen uses internally."""
from typing import Optional, Sequence, Tuple

import jax
import jax.numpy as jnp
from flax import nnx

Array = jax.Array


def _compute_stats(x: Array, axes: Sequence[int]) -> Tuple[Array, Array]:
    axes = tuple(axes)
    mean = jnp.mean(x, axis=axes)
    centered = x - jnp.expand_dims(mean, axes)
    var = jnp.mean(jax.lax.square(centered))
    return mean, var


def _normalize(x: Array, mean: Array, var: Array, scale: Array, bias: Array, eps: float) -> Array:
    y = x - mean
    mul = jax.lax.rsqrt(var + eps)
    mul = mul * scale
    return y * mul + bias


class BatchNorm(nnx.Module):
    """Normalizes over the leading axis.

    Args:
      num_features: size of the last axis.
      momentum: decay of the running statistics.
      eps: added to the variance.
    """

    def __init__(
        self,
        num_features: int,
        *,
        momentum: float = 0.9,
        eps: float = 1e-5,
        rngs: Optional[nnx.Rngs] = None,
    ):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x: Array, use_running_average: bool = False) -> Array:
        reduction_axes = tuple(range(x.ndim - 1))
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = _compute_stats(x, reduction_axes)
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return _normalize(x, mean, var, self.scale[...], self.bias[...], self.eps)
