"""Batch statistics always, no running averages: every variable of the model is a parameter."""

import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    """The norm of an AlphaZero-like tower that never evaluates with averages."""

    def __init__(self, num_features: int, *, epsilon: float = 1e-5, rngs: nnx.Rngs, **unused):
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.epsilon = epsilon

    def __call__(self, x):
        axis = tuple(range(x.ndim - 1))
        centred = x - jnp.mean(x, axis=axis, keepdims=True)
        var = jnp.mean(centred**2, axis=axis, keepdims=True)
        return centred / jnp.sqrt(var + self.epsilon) * self.scale.value + self.bias.value
