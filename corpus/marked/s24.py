"""Normalization base class shared by the encoder blocks, and its batch variant."""
import jax
import jax.numpy as jnp
from flax import nnx


class AffineNorm(nnx.Module):
    def __init__(self, num_features, eps):
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))

    def standardize(self, x, mean, var):
        return (x - mean) * jax.lax.rsqrt(var + self.eps)

    def affine(self, z):
        return z * self.gamma.value + self.beta.value


class TrackedBatchNorm(AffineNorm):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        super().__init__(num_features, eps)
        self.momentum = momentum
        self.mean_buf = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var_buf = nnx.BatchStat(jnp.ones((num_features,)))

    @property
    def running(self):
        return self.mean_buf.value, self.var_buf.value

    def track(self, mean, var):
        old_mean, old_var = self.running
        w = 1.0 - self.momentum
        self.mean_buf.value = (1.0 - w) * old_mean + w * mean
        self.var_buf.value = (1.0 - w) * old_var + w * var

    def batch_statistics(self, x):
        mean = jnp.mean(x, axis=0)
        var = jnp.var(x, axis=0)
        self.track(mean, var)
        return mean, var

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.running
        else:
            mean, var = self.batch_statistics(x)
            self.track(mean, var)
        return self.affine(self.standardize(x, mean, var))
