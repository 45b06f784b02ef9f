"""Channel-wise normalization layers (port of our old channels-first code)."""
import jax.numpy as jnp
from flax import nnx


def _channels_first(x):
    """(..., C) -> (C, everything else)."""
    return x.reshape(x.shape[-1], -1)


def _channel_moments(x):
    rows = _channels_first(x)
    mean = rows.mean(axis=1)
    var = rows.var(axis=1)
    return mean, var


class ChannelNorm(nnx.Module):
    def __init__(self, channels, *, momentum=0.9, eps=1e-5, rngs=None):
        self.channels = channels
        self.momentum = momentum
        self.eps = eps
        self.weight = nnx.Param(jnp.ones(channels))
        self.bias = nnx.Param(jnp.zeros(channels))
        self.running_mean = nnx.BatchStat(jnp.zeros(channels))
        self.running_var = nnx.BatchStat(jnp.ones(channels))

    def _blend(self, stat, value):
        stat[...] = self.momentum * stat[...] + (1 - self.momentum) * value

    def __call__(self, x, use_running_average=False):
        if x.shape[-1] != self.channels:
            raise ValueError(f"expected {self.channels} channels, got {x.shape[-1]}")

        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean, var = _channel_moments(x)
            self._blend(self.running_mean, mean)
            self._blend(self.running_var, var)

        normed = (x - mean) / jnp.sqrt(var + self.eps)
        return normed * self.weight[...] + self.bias[...]
