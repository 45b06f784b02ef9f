"""Batch norm with separate training and inference paths.

The inference path folds the statistics into one weight and one offset, the same
thing our exporter does before it merges the layer into the preceding Linear.
"""
import jax.numpy as jnp
from flax import nnx


class ExportableBatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.95,
                 eps: float = 1e-4, rngs: nnx.Rngs | None = None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training=True):
        return self._forward_train(x) if training else self._forward_infer(x)

    def _forward_train(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0)
        self._accumulate(mean, var)
        std = jnp.sqrt(var + self.eps)
        return self.gamma[...] * ((x - mean) / std) + self.beta[...]

    def _accumulate(self, mean, var):
        k = 1.0 - self.momentum
        self.running_mean[...] = self.running_mean[...] * self.momentum + k * mean
        self.running_var[...] = self.running_var[...] * self.momentum + k * var

    def folded(self):
        """Weight and offset with y = x * weight + offset."""
        weight = self.gamma[...] / (self.running_var[...] + self.eps)
        offset = self.beta[...] - self.running_mean[...] * weight
        return weight, offset

    def _forward_infer(self, x):
        weight, offset = self.folded()
        return x * weight + offset
