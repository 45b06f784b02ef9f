"""BatchNorm for channels-last inputs of any rank: (N, D), (N, H, W, D), ..."""
import jax
import jax.numpy as jnp
from flax import nnx


class ChannelsLastBatchNorm(nnx.Module):
    """Normalises every channel over all the other axes.

    The input is flattened to one row per channel for the statistics.
    """

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _channel_stats(self, x):
        rows = jnp.reshape(x, (self.num_features, -1))
        mean = rows.mean(axis=1)
        var = jnp.square(rows - mean[:, None]).mean(axis=1)
        return mean, var

    def __call__(self, x, training: bool):
        if x.shape[-1] != self.num_features:
            raise ValueError(f"expected {self.num_features} channels, got {x.shape}")
        if training:
            mean, var = self._channel_stats(x)
            self.running_mean[...] = (
                self.momentum * self.running_mean[...] + (1 - self.momentum) * mean)
            self.running_var[...] = (
                self.momentum * self.running_var[...] + (1 - self.momentum) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        inv_std = jax.lax.rsqrt(var + self.eps)
        return (x - mean) * inv_std * self.gamma[...] + self.beta[...]
