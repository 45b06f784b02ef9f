from typing import Callable

import jax
import jax.numpy as jnp
from flax import nnx

Initializer = Callable[..., jax.Array]


class NormBase(nnx.Module):
    """Shared plumbing of the normalization layers."""

    def __init__(self, num_features: int, epsilon: float, weight_init: Initializer,
                 bias_init: Initializer, rngs: nnx.Rngs):
        self.num_features = num_features
        self.epsilon = epsilon
        self.weight = nnx.Param(weight_init(rngs.params(), (num_features,)))
        self.bias = nnx.Param(bias_init(rngs.params(), (num_features,)))

    def affine(self, x, mean, var):
        x_hat = (x - mean) / jnp.sqrt(var + self.epsilon)
        return x_hat * self.weight[...] + self.bias[...]


class BatchNorm(NormBase):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *,
                 weight_init=nnx.initializers.ones, bias_init=nnx.initializers.zeros, rngs):
        super().__init__(num_features, epsilon, weight_init, bias_init, rngs)
        self.momentum = momentum
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _track(self, var, mean):
        m = self.momentum
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean

    def __call__(self, x, deterministic=True):
        if deterministic:
            return self.affine(x, self.running_mean[...], self.running_var[...])
        mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
        self._track(mean, var)
        return self.affine(x, mean, var)
