"""BatchNorm as a single fused multiply-add per element.

Both modes reduce to y = x * scale + shift with per-feature vectors, which
is the form our exported inference graphs want.
"""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Folded(NamedTuple):
    scale: jax.Array
    shift: jax.Array


def fold(mean, inv_std, gamma, beta) -> Folded:
    return Folded(scale=gamma * inv_std, shift=beta - mean * inv_std)


class FmaBatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-3,
        rngs: nnx.Rngs | None = None,
    ):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _batch(self, x):
        """Mean and inverse standard deviation, what the kernel keeps."""
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        return mean, jax.lax.rsqrt(var + self.epsilon)

    def _record(self, mean, inv_std):
        var = 1.0 / jnp.square(inv_std)
        m = self.momentum
        self.mean[...] = m * self.mean[...] + (1.0 - m) * mean
        self.var[...] = m * self.var[...] + (1.0 - m) * var

    def __call__(self, x, use_running_average: bool = False):
        if use_running_average:
            mean = self.mean[...]
            inv_std = jax.lax.rsqrt(self.var[...] + self.epsilon)
        else:
            mean, inv_std = self._batch(x)
            self._record(mean, inv_std)
        f = fold(mean, inv_std, self.gamma[...], self.beta[...])
        return x * f.scale + f.shift
