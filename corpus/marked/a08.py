"""Batch norm that keeps 1/sqrt(running_var + eps) around for serving."""
import jax
import jax.numpy as jnp
from flax import nnx


class Derived(nnx.Variable):
    """Values that can be recomputed from the batch statistics."""


class ServingBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))
        self.cached_inv_std = Derived(jnp.zeros((num_features,)))
        self.cache_ready = False

    def _serving_inv_std(self):
        if not self.cache_ready:
            self.cached_inv_std[...] = jax.lax.rsqrt(self.running_var[...] + self.eps)
            self.cache_ready = True
        return self.cached_inv_std[...]

    def _train_step_stats(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        keep = self.momentum
        self.running_mean[...] = keep * self.running_mean[...] + (1 - keep) * mean
        self.running_var[...] = keep * self.running_var[...] + (1 - keep) * var
        return mean, jax.lax.rsqrt(var + self.eps)

    def __call__(self, x, training=False):
        if training:
            mean, inv_std = self._train_step_stats(x)
        else:
            mean, inv_std = self.running_mean[...], self._serving_inv_std()
        return (x - mean) * inv_std * self.scale[...] + self.bias[...]
