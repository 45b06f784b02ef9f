"""Pure batch-norm core plus a thin NNX shell that owns the state."""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Affine(NamedTuple):
    scale: jax.Array
    bias: jax.Array


class Running(NamedTuple):
    mean: jax.Array
    var: jax.Array


def batch_norm(x, affine: Affine, running: Running, *, momentum, eps, use_running_average):
    mean = x.mean(0)
    var = x.var(0)

    def mix(old, new):
        return momentum * old + (1 - momentum) * new

    updated = jax.tree.map(mix, running, Running(mean, var))
    new_running = jax.tree.map(
        lambda old, new: jnp.where(use_running_average, old, new), running, updated)

    center = jnp.where(use_running_average, running.mean, mean)
    inv = jax.lax.rsqrt(var + eps)
    y = (x - center) * (inv * affine.scale) + affine.bias
    return y, new_running


class FunctionalBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, rngs: nnx.Rngs = None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones(num_features, jnp.float32))
        self.bias = nnx.Param(jnp.zeros(num_features, jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros(num_features, jnp.float32))
        self.var = nnx.BatchStat(jnp.ones(num_features, jnp.float32))

    def __call__(self, x, use_running_average=False):
        y, running = batch_norm(
            x,
            Affine(self.scale[...], self.bias[...]),
            Running(self.mean[...], self.var[...]),
            momentum=self.momentum,
            eps=self.eps,
            use_running_average=use_running_average,
        )
        self.mean[...] = running.mean
        self.var[...] = running.var
        return y
