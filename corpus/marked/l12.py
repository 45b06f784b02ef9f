import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    @staticmethod
    def _mean(x):
        return jnp.mean(x, axis=0)

    @staticmethod
    def _variance(x, mean):
        return jnp.mean(jnp.square(x - mean))

    def _blend(self, old, new):
        return old * self.momentum + new * (1 - self.momentum)

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean = self.mean.value
            var = self.var.value
        else:
            mean = self._mean(x)
            var = self._variance(x, mean)
            self.mean.value = self._blend(self.mean.value, mean)
            self.var.value = self._blend(self.var.value, var)
        mul = self.scale.value * jax.lax.rsqrt(var + self.eps)
        return (x - mean) * mul + self.bias.value
