import jax
import jax.numpy as jnp
from flax import nnx


class NormBase(nnx.Module):
    def __init__(self, num_features, momentum, eps):
        self.momentum = momentum
        self.eps = eps
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def update_running(self, mean, var):
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1.0 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1.0 - m) * var

    def moments(self, x, training):
        if not training:
            return self.running_mean[...], self.running_var[...]
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        self.update_running(mean, var)
        return mean, var


class BatchNorm(NormBase):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, affine=True, rngs=None):
        super().__init__(num_features, momentum, eps)
        self.affine = affine
        if affine:
            self.weight = nnx.Param(jnp.ones(num_features))
            self.bias = nnx.Param(jnp.zeros(num_features))

    def __call__(self, x, training=True):
        mean, var = self.moments(x, training)
        if training:
            self.update_running(mean, var)
        out = (x - mean) * jax.lax.rsqrt(var + self.eps)
        if self.affine:
            out = out * self.weight[...] + self.bias[...]
        return out
