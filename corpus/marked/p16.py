import typing as tp

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        rngs: tp.Optional[nnx.Rngs] = None,
    ):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones([num_features]))
        self.beta = nnx.Param(jnp.zeros([num_features]))
        self.running_mean = nnx.BatchStat(jnp.zeros([num_features]))
        self.running_var = nnx.BatchStat(jnp.ones([num_features]))

    def __call__(self, x, use_running_average: bool = False):
        reduce_axes = tuple(range(x.ndim - 1))
        mean = jnp.mean(x, axis=reduce_axes)
        var = jnp.var(x, axis=reduce_axes)

        if use_running_average:
            mean = self.running_mean.value
        else:
            mean, var = jax.lax.stop_gradient((mean, var))
            self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * mean
            self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * var

        normalized = (x - mean) / jnp.sqrt(var + self.epsilon)
        return normalized * self.gamma.value + self.beta.value
