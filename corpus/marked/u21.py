"""hk.BatchNorm moved over to Flax NNX, together with its moving-average helper."""
import jax
import jax.numpy as jnp
from flax import nnx


class Counter(nnx.Variable):
    """Number of updates a moving average has seen."""


class ExponentialMovingAverage(nnx.Module):
    """Maintains an exponential moving average of an array.

    Args:
      initial: value before the first update.
      decay: share of the old average kept in an update.
      zero_debias: whether reads are rescaled for an average that grew from nothing.
    """

    def __init__(self, initial, decay, zero_debias=True):
        self.decay = decay
        self.zero_debias = zero_debias
        self.hidden = nnx.BatchStat(initial)
        self.counter = Counter(jnp.zeros((), jnp.int32))

    def update(self, value):
        self.counter[...] = self.counter[...] + 1
        self.hidden[...] = self.decay * self.hidden[...] + (1 - self.decay) * value

    @property
    def average(self):
        if not self.zero_debias:
            return self.hidden[...]
        steps = jnp.maximum(self.counter[...], 1)
        correction = 1.0 - jnp.power(self.decay, steps)
        return jnp.where(self.counter[...] > 0, self.hidden[...] / correction, self.hidden[...])


class BatchNorm(nnx.Module):
    """Normalises inputs to maintain a mean of ~0 and stddev of ~1."""

    def __init__(self, num_features, decay_rate=0.99, eps=1e-5, rngs=None):
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.offset = nnx.Param(jnp.zeros((num_features,)))
        self.mean_ema = ExponentialMovingAverage(jnp.zeros((num_features,)), decay_rate)
        self.var_ema = ExponentialMovingAverage(jnp.ones((num_features,)), decay_rate)

    def __call__(self, inputs, is_training):
        if is_training:
            mean = jnp.mean(inputs, axis=0)
            var = jnp.mean(jnp.square(inputs - mean), axis=0)
            self.mean_ema.update(mean)
            self.var_ema.update(var)
        else:
            mean = self.mean_ema.average
            var = self.var_ema.average
        inv = self.scale[...] * jax.lax.rsqrt(var + self.eps)
        return (inputs - mean) * inv + self.offset[...]
