"""Batch norm for image tensors, NHWC, with the reductions written as einsums."""
import jax.numpy as jnp
from flax import nnx


class EinsumBatchNorm(nnx.Module):
    """Normalises the channel axis of ``(batch, ..., channels)`` inputs.

    The ellipsis in the subscripts swallows every axis in between, so dense
    activations and feature maps go through the same code.
    """

    def __init__(self, num_features: int, momentum: float = 0.9,
                 epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.use_running_average = False
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _moments(self, x):
        count = x.shape[0]
        mean = jnp.einsum("b...c->c", x) / count
        centered = x - mean
        var = jnp.einsum("b...c,b...c->c", centered, centered) / count
        return mean, var

    def __call__(self, x):
        if self.use_running_average:
            mean, var = self.mean[...], self.var[...]
        else:
            mean, var = self._moments(x)
            m = self.momentum
            self.mean[...] = m * self.mean[...] + (1 - m) * mean
            self.var[...] = m * self.var[...] + (1 - m) * var
        inv = 1.0 / jnp.sqrt(var + self.epsilon)
        return jnp.einsum("b...c,c->b...c", x - mean, inv * self.gamma[...]) + self.beta[...]
