"""Batch norm whose mode may be a traced boolean.

For the curriculum runs `is_training` is computed inside jit, so both branches are
expressed with `lax.cond` and return the same pytree.
"""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class Moments(NamedTuple):
    mean: jax.Array
    var: jax.Array


def batch_moments(x) -> Moments:
    mean = jnp.mean(x, axis=0)
    return Moments(mean, jnp.mean(lax.square(x - mean), axis=0))


class CondBatchNorm(nnx.Module):
    """Batch norm with traced mode.

    Attributes:
      scale, bias: trainable, shape (D,).
      mean, var: running statistics, shape (D,).
    """

    def __init__(self, num_features, momentum=0.99, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, is_training):
        batch = batch_moments(x)
        running = Moments(self.mean[...], self.var[...])

        def train_branch(batch, running):
            m = self.momentum
            updated = jax.tree.map(lambda old, new: m * old + (1 - m) * new, running, batch)
            return batch, updated

        def eval_branch(batch, running):
            return batch._replace(mean=running.mean), running

        used, kept = lax.cond(is_training, train_branch, eval_branch, batch, running)
        self.mean[...] = kept.mean
        self.var[...] = kept.var
        inv = lax.rsqrt(used.var + self.epsilon)
        return (x - used.mean) * inv * self.scale[...] + self.bias[...]
