"""hk.BatchNorm carried over to NNX, including its moving-average helper."""
import jax.numpy as jnp
from flax import nnx


class EmaCounter(nnx.Variable):
    """Number of updates a moving average has seen."""


class ExponentialMovingAverage(nnx.Module):
    def __init__(self, size, decay, init):
        self.decay = decay
        self.hidden = nnx.BatchStat(jnp.full((size,), init, jnp.float32))
        self.counter = EmaCounter(jnp.zeros((), jnp.int32))

    def update(self, value):
        self.counter[...] = self.counter[...] + 1
        self.hidden[...] = self.hidden[...] * self.decay + value * (1 - self.decay)

    @property
    def average(self):
        steps = self.counter[...]
        weight = jnp.where(steps > 0, 1.0 - self.decay**steps, 1.0)
        return self.hidden[...] / weight


class HaikuBatchNorm(nnx.Module):
    """create_scale=True, create_offset=True; data format "NC"."""

    def __init__(self, size, decay_rate=0.9, eps=1e-5, *, rngs=None):
        self.eps = eps
        self.mean_ema = ExponentialMovingAverage(size, decay_rate, 0.0)
        self.var_ema = ExponentialMovingAverage(size, decay_rate, 1.0)
        self.scale = nnx.Param(jnp.ones((size,), jnp.float32))
        self.offset = nnx.Param(jnp.zeros((size,), jnp.float32))

    def __call__(self, inputs, is_training):
        if is_training:
            mean = jnp.mean(inputs, axis=0, keepdims=True)
            var = jnp.mean(jnp.square(inputs - mean), axis=0, keepdims=True)
            self.mean_ema.update(mean[0])
            self.var_ema.update(var[0])
        else:
            mean = self.mean_ema.average[None]
            var = self.var_ema.average[None]

        inv = (1.0 + self.scale[...]) / jnp.sqrt(var + self.eps)
        return (inputs - mean) * inv + self.offset[...]
