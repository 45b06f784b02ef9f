import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, features: int, momentum: float = 0.99, epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, use_running_average: bool = False):
        assert x.shape[-1] == self.features

        if use_running_average:
            mean = self.mean.value
            var = self.var.value
        else:
            mean = jnp.average(x, axis=0)
            var = jnp.average(jnp.power(x - self.mean.value, 2), axis=0)
            self.mean.value = self.momentum * self.mean.value + (1 - self.momentum) * mean
            self.var.value = self.momentum * self.var.value + (1 - self.momentum) * var

        return self.scale.value * ((x - mean) / jnp.sqrt(var + self.epsilon)) + self.bias.value
