"""torch.nn.BatchNorm1d look-alike for people migrating to NNX.

Differences from torch: `momentum` is the weight of the *old* running value and
the running variance is the biased one.
"""
import jax.numpy as jnp
from flax import nnx


class TorchLikeBatchNorm1d(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5,
                 affine=True, track_running_stats=True, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.affine = affine
        self.track_running_stats = track_running_stats

        if affine:
            self.weight = nnx.Param(jnp.ones(num_features))
            self.bias = nnx.Param(jnp.zeros(num_features))
        if track_running_stats:
            self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
            self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, training=True):
        bn_training = training or self.track_running_stats

        if bn_training:
            mean = x.mean(axis=0)
            var = x.var(axis=0)
        else:
            mean = self.running_mean.value
            var = self.running_var.value

        if training and self.track_running_stats:
            m = self.momentum
            self.running_mean.value = m * self.running_mean.value + (1 - m) * mean
            self.running_var.value = m * self.running_var.value + (1 - m) * var

        out = (x - mean) / jnp.sqrt(var + self.eps)
        if self.affine:
            out = out * self.weight.value + self.bias.value
        return out
