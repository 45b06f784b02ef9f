"""Equinox-style batch norm: a pure function plus a thin stateful shell.

``batch_norm`` takes and returns the running state explicitly, which makes it
easy to vmap/jit on its own; the NNX module only stores the arrays.
"""
import functools as ft
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class State(NamedTuple):
    mean: jax.Array
    var: jax.Array


def _lerp(start, end, weight):
    """``start`` at weight 0, ``end`` at weight 1."""
    return start + weight * (end - start)


def batch_norm(x, weight, bias, state, *, inference, momentum, eps):
    """Returns the normalised batch and the next running state."""
    if inference:
        stats = state
    else:
        stats = State(jnp.mean(x, axis=0), jnp.var(x, axis=0))
        blend = ft.partial(_lerp, weight=momentum)
        state = jax.tree.map(blend, state, stats)
    out = (x - stats.mean) / jnp.sqrt(stats.var + eps)
    return out * weight + bias, state


class BatchNorm(nnx.Module):
    """**Arguments:**

    - `input_size`: number of features in the last axis.
    - `eps`: value added to the denominator for numerical stability.
    - `momentum`: rate at which the running statistics are remembered; values
        close to 1 give slowly moving averages.
    """

    def __init__(self, input_size, eps=1e-5, momentum=0.99, *, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones((input_size,)))
        self.bias = nnx.Param(jnp.zeros((input_size,)))
        self.state_mean = nnx.BatchStat(jnp.zeros((input_size,)))
        self.state_var = nnx.BatchStat(jnp.ones((input_size,)))

    def __call__(self, x, inference=False):
        state = State(self.state_mean[...], self.state_var[...])
        out, state = batch_norm(
            x, self.weight[...], self.bias[...], state,
            inference=inference, momentum=self.momentum, eps=self.eps)
        self.state_mean[...], self.state_var[...] = state
        return out
