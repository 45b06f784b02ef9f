import jax
import jax.numpy as jnp
from flax import nnx


class AffineMixin:
    def _init_affine(self, size):
        self.gamma = nnx.Param(jnp.ones(size))
        self.beta = nnx.Param(jnp.zeros(size))

    def _affine(self, z):
        z = z + self.beta[...]
        return z * self.gamma[...]


class RunningMixin:
    def _init_running(self, size):
        self.running_mean = nnx.BatchStat(jnp.zeros(size))
        self.running_var = nnx.BatchStat(jnp.ones(size))

    def _observe(self, mean, var):
        a = self.momentum
        self.running_mean[...] = a * self.running_mean[...] + (1 - a) * mean
        self.running_var[...] = a * self.running_var[...] + (1 - a) * var


class BatchNorm(AffineMixin, RunningMixin, nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self._init_affine(num_features)
        self._init_running(num_features)

    def __call__(self, x, training=True):
        if training:
            mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
            self._observe(mean, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return self._affine((x - mean) * jax.lax.rsqrt(var + self.eps))
