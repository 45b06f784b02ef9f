"""Port of our Haiku batch norm to NNX (ExponentialMovingAverage + BatchNorm)."""
from typing import Optional

import jax
import jax.numpy as jnp
from flax import nnx


class ExponentialMovingAverage(nnx.Module):
    """hidden <- decay * hidden + (1 - decay) * value, with a call counter."""

    def __init__(self, shape, decay: float, fill: float):
        self.decay = decay
        self.hidden = nnx.BatchStat(jnp.full(shape, fill, jnp.float32))
        self.counter = nnx.BatchStat(jnp.zeros((), jnp.int32))

    def update(self, value: jax.Array) -> None:
        self.counter[...] = self.counter[...] + 1
        self.hidden[...] = self.hidden[...] * self.decay + value * (1 - self.decay)

    @property
    def average(self) -> jax.Array:
        t = self.counter[...].astype(jnp.float32)
        unbias = jnp.where(t > 0, 1.0 - self.decay ** t, 1.0)
        return self.hidden[...] / unbias


class BatchNorm(nnx.Module):
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
        self.eps = eps
        self.num_features = num_features
        self.scale = nnx.Param(jnp.ones(num_features)) if create_scale else None
        self.offset = nnx.Param(jnp.zeros(num_features)) if create_offset else None
        self.mean_ema = ExponentialMovingAverage((num_features,), decay_rate, 0.0)
        self.var_ema = ExponentialMovingAverage((num_features,), decay_rate, 1.0)

    def __call__(self, inputs, is_training: bool, test_local_stats: bool = False):
        axes = tuple(range(inputs.ndim - 1))
        if is_training or test_local_stats:
            mean = jnp.mean(inputs, axes)
            mean_sq = jnp.mean(jnp.square(inputs), axes)
            var = jnp.maximum(mean_sq - jnp.square(mean), 0.0)
        else:
            mean = self.mean_ema.average
            var = self.var_ema.average

        if is_training:
            self.mean_ema.update(mean)
            self.var_ema.update(var)

        inv = jax.lax.rsqrt(var + self.eps)
        if self.scale is not None:
            inv = inv * self.scale[...]
        out = (inputs - mean) * inv
        return out if self.offset is None else out + self.offset[...]
