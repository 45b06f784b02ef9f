"""Port of our torch BatchNorm1d.

Differences from torch: `momentum` is the weight of the OLD value (flax style) and the
population variance is used for normalizing and for the running estimate.
"""
import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.9, rngs=None):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def _check_input_dim(self, input):
        if input.ndim != 2:
            raise ValueError(f"expected 2D input (got {input.ndim}D input)")
        if input.shape[1] != self.num_features:
            raise ValueError(f"expected {self.num_features} features, got {input.shape[1]}")

    def _update_running(self, input, batch_mean):
        lr = 1.0 - self.momentum
        self.running_mean[...] += lr * (batch_mean - self.running_mean[...])
        spread = jnp.mean((input - self.running_mean[...]) ** 2, axis=0)
        self.running_var[...] += lr * (spread - self.running_var[...])

    def __call__(self, input, training: bool):
        self._check_input_dim(input)
        if training:
            mean = input.mean(axis=0)
            var = input.var(axis=0)
            self._update_running(input, mean)
        else:
            mean = self.running_mean[...]
            var = self.running_var[...]
        out = (input - mean) / jnp.sqrt(var + self.eps)
        return out * self.weight[...] + self.bias[...]
