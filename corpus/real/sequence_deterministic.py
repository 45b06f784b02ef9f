"""Batch norm over batch and time, for (batch, time, features); arrays keep their axes of one."""

import jax
import jax.numpy as jnp
from flax import nnx


class SequenceBatchNorm(nnx.Module):
    def __init__(self, features: int, rngs: nnx.Rngs, decay: float = 0.9, eps: float = 1e-6, deterministic: bool = False):
        shape = (1, 1, features)
        self.scale = nnx.Param(jnp.ones(shape))
        self.shift = nnx.Param(jnp.zeros(shape))
        self.ema_mean = nnx.BatchStat(jnp.zeros(shape))
        self.ema_var = nnx.BatchStat(jnp.ones(shape))
        self.decay = decay
        self.eps = eps
        self.deterministic = deterministic

    def __call__(self, inputs: jax.Array) -> jax.Array:
        assert inputs.ndim == 3, "expects (batch, time, features)"
        if self.deterministic:
            mean, var = self.ema_mean[...], self.ema_var[...]
        else:
            mean = inputs.mean((0, 1), keepdims=True)
            var = inputs.var((0, 1), keepdims=True)
            for ema, value in ((self.ema_mean, mean), (self.ema_var, var)):
                ema[...] = self.decay * ema[...] + (1 - self.decay) * jax.lax.stop_gradient(value)
        return (inputs - mean) / jnp.sqrt(var + self.eps) * self.scale[...] + self.shift[...]
