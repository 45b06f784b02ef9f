import abc

import jax
import jax.numpy as jnp
from flax import nnx


class RunningStat(nnx.BatchStat):
    """Exponential moving average of a per-feature statistic."""


class NormBase(nnx.Module):
    """Shared state handling; subclasses implement ``__call__``."""

    def __init__(self, features: int, momentum: float, eps: float):
        self.features = features
        self.momentum = momentum
        self.eps = eps
        self._init_affine()
        self._init_running()

    def _init_affine(self):
        self.gamma = nnx.Param(jnp.ones((self.features,)))
        self.beta = nnx.Param(jnp.zeros((self.features,)))

    def _init_running(self):
        self.running_mean = RunningStat(jnp.zeros((self.features,)))
        self.running_var = RunningStat(jnp.zeros((self.features,)))

    def _update(self, mean, var):
        a = self.momentum
        self.running_mean[...] = a * self.running_mean[...] + (1 - a) * mean
        self.running_var[...] = a * self.running_var[...] + (1 - a) * var

    @abc.abstractmethod
    def __call__(self, x, training=True):
        ...


class BatchNorm(NormBase):
    def __init__(self, features: int, *, momentum: float = 0.9,
                 eps: float = 1e-5, rngs: nnx.Rngs | None = None):
        super().__init__(features, momentum, eps)

    def __call__(self, x, training=True):
        if training:
            mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
            self._update(mean, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return (x - mean) * jax.lax.rsqrt(var + self.eps) * self.gamma[...] + self.beta[...]
