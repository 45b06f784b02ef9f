"""A small normalisation family with a shared base class."""
import abc

import jax
import jax.numpy as jnp
from flax import nnx


class NormBase(nnx.Module):
    def __init__(self, num_features: int, momentum: float, eps: float, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    @abc.abstractmethod
    def statistics(self, x: jax.Array):
        ...

    def _ema(self, old, new):
        return self.momentum * old + (1.0 - self.momentum) * jax.lax.stop_gradient(new)

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        if use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self.statistics(x)
            self.mean[...] = self._ema(self.mean[...], mean)
            self.var[...] = self._ema(self.var[...], var)
        return self.gamma * (x - mean) / jnp.sqrt(var + self.eps) + self.beta


class BatchNorm1d(NormBase):
    """Statistics over the batch axis."""

    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs=None):
        super().__init__(num_features, eps, momentum, rngs=rngs)

    def statistics(self, x):
        mean = x.mean(axis=0)
        var = jnp.mean(jnp.abs(x - mean) ** 2, axis=0)
        return mean, var
