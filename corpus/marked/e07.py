import jax
import jax.numpy as jnp
from flax import nnx


class Standardizer(nnx.Module):
    def __init__(self, num_features, *, momentum, eps):
        self.momentum = momentum
        self.eps = eps
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def record(self, mean, var):
        m = self.momentum
        self.mean[...] = m * self.mean[...] + (1 - m) * jax.lax.stop_gradient(mean)
        self.var[...] = m * self.var[...] + (1 - m) * jax.lax.stop_gradient(var)

    def statistics(self, x, frozen):
        if frozen:
            return self.mean[...], self.var[...]
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        self.record(mean, var)
        return mean, var

    def __call__(self, x, use_running_average=False):
        mean, var = self.statistics(x, use_running_average)
        return (x - mean) / jnp.sqrt(var + self.eps)


class AffineBatchNorm(Standardizer):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        super().__init__(num_features, momentum=momentum, eps=eps)
        self.scale = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))

    def statistics(self, x, frozen):
        mean, var = super().statistics(x.astype(jnp.float32), frozen)
        if not frozen:
            self.record(mean, var)
        return mean.astype(x.dtype), var.astype(x.dtype)

    def __call__(self, x, use_running_average=False):
        y = super().__call__(x, use_running_average)
        return y * self.scale[...] + self.bias[...]
