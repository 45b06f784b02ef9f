"""(batch, channels, length) batch norm of an audio model; the call says whether it is inference."""

import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(self, hidden_size, eps=1e-5, momentum=0.99, dtype=jnp.float32):
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones((hidden_size, 1), dtype))
        self.bias = nnx.Param(jnp.zeros((hidden_size, 1), dtype))
        self.running_mean = nnx.BatchStat(jnp.zeros((hidden_size, 1), dtype))
        self.running_var = nnx.BatchStat(jnp.ones((hidden_size, 1), dtype))

    def __call__(self, x, inference=False):
        assert x.ndim == 3
        if inference:
            m, v = self.running_mean.value, self.running_var.value
        else:
            m = x.mean(axis=(0, 2))[:, None]
            v = x.var(axis=(0, 2))[:, None]
            keep = self.momentum
            self.running_mean.value = self.running_mean.value * keep + m * (1 - keep)
            self.running_var.value = self.running_var.value * keep + v * (1 - keep)
        return self.weight.value * (x - m) / jnp.sqrt(v + self.eps) + self.bias.value
