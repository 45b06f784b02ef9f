"""Batch norm for ragged batches: rows may be masked out of the statistics."""
from typing import Optional

import jax
import jax.numpy as jnp
from flax import nnx


def row_mask(x, mask):
    """Column of 0/1 flags, one per row. One byte each: masks get stored."""
    if mask is None:
        mask = jnp.ones((x.shape[0],), dtype=bool)
    return mask.astype(jnp.int8)[:, None]


def masked_moments(x, flags):
    total = jnp.sum(flags, axis=0, dtype=flags.dtype)
    mean = jnp.sum(x * flags, axis=0) / total
    var = jnp.sum(jnp.square(x - mean) * flags, axis=0) / total
    return mean, var


class MaskedBatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        decay: float = 0.9,
        eps: float = 1e-5,
        *,
        rngs: Optional[nnx.Rngs] = None,
    ):
        self.decay = decay
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,), dtype=jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), dtype=jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), dtype=jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), dtype=jnp.float32))

    def __call__(
        self,
        x: jax.Array,
        is_training: bool,
        mask: Optional[jax.Array] = None,
    ) -> jax.Array:
        if is_training:
            mean, var = masked_moments(x, row_mask(x, mask))
            self._ema(jax.lax.stop_gradient(mean), jax.lax.stop_gradient(var))
        else:
            mean, var = self.mean[...], self.var[...]
        normed = (x - mean) / jnp.sqrt(var + self.eps)
        return normed * self.scale[...] + self.bias[...]

    def _ema(self, mean, var):
        self.mean[...] = self.decay * self.mean[...] + (1.0 - self.decay) * mean
        self.var[...] = self.decay * self.var[...] + (1.0 - self.decay) * var
