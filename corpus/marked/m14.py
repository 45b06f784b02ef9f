import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Moments:
    mean: Any
    var: Any


def batch_moments(x: jax.Array) -> Moments:
    mean = jnp.mean(x, axis=0)
    return Moments(mean=mean, var=jnp.mean(jnp.square(x - mean), axis=0))


class TreeBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _running(self) -> Moments:
        return Moments(mean=self.running_mean.value, var=self.running_var.value)

    def _advance(self, batch: Moments) -> None:
        step = lambda old, new: self.momentum * old + (1 - self.momentum) * new
        updated = jax.tree.map(step, batch, self._running())
        self.running_mean.value = updated.mean
        self.running_var.value = updated.var

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        if use_running_average:
            moments = self._running()
        else:
            moments = batch_moments(x)
            self._advance(moments)
        std = jnp.sqrt(moments.var + self.eps)
        return self.gamma.value * ((x - moments.mean) / std) + self.beta.value
