"""Haiku-flavoured batch norm: the statistics live in small EMA modules."""
from typing import Optional

import jax
import jax.numpy as jnp
from flax import nnx


class ExponentialMovingAverage(nnx.Module):
    """value <- decay * value + (1 - decay) * update."""

    def __init__(self, init, decay: float = 0.99):
        self.decay = decay
        self.average = nnx.BatchStat(init)

    def __call__(self, value, update_stats: bool = True):
        new = self.average[...] * self.decay + value * (1.0 - self.decay)
        if update_stats:
            self.average[...] = new
        return new


class HkBatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        create_scale: bool = True,
        create_offset: bool = True,
        decay_rate: float = 0.9,
        eps: float = 1e-5,
        *,
        rngs: Optional[nnx.Rngs] = None,
    ):
        self.create_scale = create_scale
        self.create_offset = create_offset
        self.eps = eps
        if create_scale:
            self.scale = nnx.Param(jnp.ones((num_features,)))
        if create_offset:
            self.offset = nnx.Param(jnp.zeros((num_features,)))
        self.mean_ema = ExponentialMovingAverage(jnp.zeros((num_features,)), decay_rate)
        self.var_ema = ExponentialMovingAverage(jnp.ones((num_features,)))

    def __call__(self, inputs, is_training: bool, test_local_stats: bool = False):
        reduction = tuple(range(inputs.ndim - 1))
        if is_training or test_local_stats:
            mean = jnp.mean(inputs, reduction)
            mean_of_squares = jnp.mean(jnp.square(inputs - mean), reduction)
            var = mean_of_squares
        else:
            mean = self.mean_ema.average[...]
            var = self.var_ema.average[...]

        if is_training:
            self.mean_ema(mean)
            self.var_ema(var)

        inv = jax.lax.rsqrt(var + self.eps)
        if self.create_scale:
            inv = inv * self.scale[...]
        out = (inputs - mean) * inv
        if self.create_offset:
            out = out + self.offset[...]
        return out
