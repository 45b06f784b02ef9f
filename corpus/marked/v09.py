"""hk.BatchNorm rewritten for NNX; hk.ExponentialMovingAverage came along."""
import jax
import jax.numpy as jnp
from flax import nnx


class Counter(nnx.Variable):
    pass


class ExponentialMovingAverage(nnx.Module):
    def __init__(self, initial, decay):
        self.decay = decay
        self.hidden = nnx.BatchStat(initial)
        self.counter = Counter(jnp.zeros((), jnp.int32))

    def update(self, value):
        self.counter[...] = self.counter[...] + 1
        self.hidden[...] = self.decay * self.hidden[...] + (1 - self.decay) * value

    @property
    def average(self):
        weight = 1.0 - jnp.power(self.decay, self.counter[...])
        weight = jnp.where(self.counter[...] > 0, weight, 1.0)
        return self.hidden[...] / weight


class HkBatchNorm(nnx.Module):
    """Batch norm over all axes but the last one."""

    def __init__(self, num_channels, decay_rate=0.9, eps=1e-5, rngs=None):
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(num_channels))
        self.offset = nnx.Param(jnp.zeros(num_channels))
        self.mean_ema = ExponentialMovingAverage(jnp.zeros(num_channels), decay_rate)
        self.var_ema = ExponentialMovingAverage(jnp.ones(num_channels), decay_rate)

    def __call__(self, inputs, is_training):
        if is_training:
            axes = tuple(range(inputs.ndim - 1))
            mean = jnp.mean(inputs)
            var = jnp.mean(jnp.square(inputs - mean), axis=axes)
            self.mean_ema.update(mean)
            self.var_ema.update(var)
        else:
            mean = self.mean_ema.average
            var = self.var_ema.average

        inv = self.scale[...] * jax.lax.rsqrt(var + self.eps)
        return (inputs - mean) * inv + self.offset[...]
