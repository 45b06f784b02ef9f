"""Haiku-style BatchNorm for NNX, with zero-debiased moving averages.

Follows hk.ExponentialMovingAverage: a hidden accumulator that starts at zero, a
step counter, and a published average ``hidden / (1 - decay ** counter)``.
"""
import jax
import jax.numpy as jnp
from flax import nnx


class EmaHidden(nnx.Variable):
    """Accumulator and counter behind a published average."""


class HkBatchNorm(nnx.Module):

    def __init__(self, num_features, decay_rate=0.99, eps=1e-5, *, rngs=None):
        del rngs
        self.decay_rate = decay_rate
        self.eps = eps
        shape = (1, num_features)
        self.scale = nnx.Param(jnp.ones(shape))
        self.offset = nnx.Param(jnp.zeros(shape))

        self.mean_average = nnx.BatchStat(jnp.zeros(shape))
        self.var_average = nnx.BatchStat(jnp.ones(shape))
        self.mean_hidden = EmaHidden(jnp.zeros(shape))
        self.var_hidden = EmaHidden(jnp.zeros(shape))
        self.counter = EmaHidden(jnp.zeros((), jnp.int32))

    def _ema(self, hidden, average, value, counter):
        decay = jnp.asarray(self.decay_rate, value.dtype)
        value = jax.lax.stop_gradient(value)
        one = jnp.ones([], value.dtype)
        new = hidden[...] * decay + value * (one - decay)
        new = new / (one - jnp.power(decay, counter))
        hidden[...] = new
        average[...] = new

    def __call__(self, inputs, is_training):
        if is_training:
            mean = jnp.mean(inputs, axis=0, keepdims=True)
            var = jnp.mean(jnp.square(inputs - mean), axis=0, keepdims=True)
            counter = self.counter[...] + 1
            self.counter[...] = counter
            self._ema(self.mean_hidden, self.mean_average, mean, counter)
            self._ema(self.var_hidden, self.var_average, var, counter)
        else:
            mean = self.mean_average[...]
            var = self.var_average[...]

        inv = self.scale[...] * jax.lax.rsqrt(var + self.eps)
        return (inputs - mean) * inv + self.offset[...]
