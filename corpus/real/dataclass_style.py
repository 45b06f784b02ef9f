"""A module written as a dataclass, its arrays made after the fields are set."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx


@dataclasses.dataclass
class BatchNorm(nnx.Module):
    dim: int
    momentum: float = 0.9
    eps: float = 1e-5
    use_running_average: bool = False

    def __post_init__(self):
        self.scale = nnx.Param(jnp.ones((self.dim,)))
        self.bias = nnx.Param(jnp.zeros((self.dim,)))
        self.mean = nnx.BatchStat(jnp.zeros((self.dim,)))
        self.var = nnx.BatchStat(jnp.ones((self.dim,)))

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.mean[...] = jax.lax.stop_gradient(self.momentum * self.mean[...] + (1 - self.momentum) * mean)
            self.var[...] = jax.lax.stop_gradient(self.momentum * self.var[...] + (1 - self.momentum) * var)
        return self.scale[...] * (x - mean) / jnp.sqrt(var + self.eps) + self.bias[...]
