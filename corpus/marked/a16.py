"""hk.BatchNorm ported to NNX, with hk.ExponentialMovingAverage as a sub-module."""
import jax
import jax.numpy as jnp
from flax import nnx


class ExponentialMovingAverage(nnx.Module):
    def __init__(self, decay, init):
        self.decay = decay
        self.average = nnx.BatchStat(init)

    def __call__(self, value):
        value = jax.lax.stop_gradient(value)
        self.average[...] = self.decay * self.average[...] + (1 - self.decay) * value


class HkBatchNorm(nnx.Module):
    def __init__(self, num_features, decay_rate=0.99, eps=1e-5,
                 create_scale=True, create_offset=True, rngs=None):
        self.eps = eps
        self.create_scale = create_scale
        self.create_offset = create_offset
        if create_scale:
            self.scale = nnx.Param(jnp.ones([num_features]))
        if create_offset:
            self.offset = nnx.Param(jnp.zeros([num_features]))
        self.mean_ema = ExponentialMovingAverage(decay_rate, jnp.zeros([num_features]))
        self.var_ema = ExponentialMovingAverage(decay_rate, jnp.ones([num_features]))

    def __call__(self, inputs, is_training):
        if is_training:
            mean = jnp.mean(inputs, 0)
            std = jnp.sqrt(jnp.var(inputs, 0) + self.eps)
            self.mean_ema(mean)
            self.var_ema(std)
        else:
            mean = self.mean_ema.average[...]
            std = jnp.sqrt(self.var_ema.average[...] + self.eps)

        out = (inputs - mean) / std
        if self.create_scale:
            out = out * self.scale[...]
        if self.create_offset:
            out = out + self.offset[...]
        return out
