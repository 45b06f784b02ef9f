"""haiku.BatchNorm for flax NNX.

Structure and names follow Haiku: two ExponentialMovingAverage modules hold
the running statistics, ``__call__`` takes ``is_training``.
"""
import jax
import jax.numpy as jnp
from flax import nnx


class EMACounter(nnx.Variable):
    """Number of updates an average has seen."""


class ExponentialMovingAverage(nnx.Module):
    """Maintains an exponential moving average of a vector."""

    def __init__(self, size, decay, init_value, zero_debias=True):
        self.decay = decay
        self.zero_debias = zero_debias
        self.hidden = nnx.BatchStat(jnp.full((size,), init_value))
        self.counter = EMACounter(jnp.zeros((), jnp.int32))

    def update(self, value):
        self.counter[...] = self.counter[...] + 1
        self.hidden[...] = self.hidden[...] * self.decay + value * (1 - self.decay)

    @property
    def average(self):
        hidden = self.hidden[...]
        if not self.zero_debias:
            return hidden
        t = self.counter[...]
        correction = jnp.where(t > 0, 1.0 - jnp.power(self.decay, t), 1.0)
        return hidden / correction


class BatchNorm(nnx.Module):
    """Normalizes inputs to maintain a mean of ~0 and stddev of ~1."""

    def __init__(self, num_channels, decay_rate=0.9, eps=1e-5, rngs=None):
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_channels,)))
        self.offset = nnx.Param(jnp.zeros((num_channels,)))
        self.mean_ema = ExponentialMovingAverage(num_channels, decay_rate, 0.0)
        self.var_ema = ExponentialMovingAverage(num_channels, decay_rate, 1.0)

    def __call__(self, inputs, is_training):
        if is_training:
            mean = jnp.mean(inputs, 0)
            var = jnp.mean(jnp.square(inputs - mean), 0)
            self.mean_ema.update(mean)
            self.var_ema.update(var)
        else:
            mean = self.mean_ema.average
            var = self.var_ema.average

        inv = self.scale[...] * jax.lax.rsqrt(var + self.eps)
        return (inputs - mean) * inv + self.offset[...]
