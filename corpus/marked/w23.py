"""Normalisation layers with a common base class.

``FeatureNorm`` owns the affine parameters and the arithmetic; subclasses say
where the statistics come from by overriding ``statistics``.
"""
import jax.numpy as jnp
from flax import nnx


class FeatureNorm(nnx.Module):
    """Shared part: whitening with given statistics, then scale and shift."""

    def __init__(self, num_features, eps):
        self.num_features = num_features
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))

    def new_buffer(self, fill=0.0):
        return nnx.BatchStat(jnp.full((self.num_features,), fill, jnp.float32))

    def statistics(self, x, training):
        raise NotImplementedError

    def __call__(self, x, training=True):
        mean, var = self.statistics(x, training)
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma[...] * x_hat + self.beta[...]


class LayerNorm(FeatureNorm):
    """Statistics of every row; nothing to remember."""

    def __init__(self, num_features, eps=1e-6, *, rngs=None):
        super().__init__(num_features, eps)

    def statistics(self, x, training):
        mean = x.mean(axis=-1, keepdims=True)
        return mean, jnp.square(x - mean).mean(axis=-1, keepdims=True)


class BatchNorm(FeatureNorm):
    """Statistics of every column, with running averages for evaluation."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        super().__init__(num_features, eps)
        self.momentum = momentum
        self.running_mean = self.new_buffer()
        self.running_var = self.new_buffer()

    def _decay(self, buffer, value):
        buffer[...] = self.momentum * buffer[...] + (1.0 - self.momentum) * value

    def statistics(self, x, training):
        if not training:
            return self.running_mean[...], self.running_var[...]
        mean = x.mean(axis=0)
        var = jnp.square(x - mean).mean(axis=0)
        self._decay(self.running_mean, mean)
        self._decay(self.running_var, var)
        return mean, var
