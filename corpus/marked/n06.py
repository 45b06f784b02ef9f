"""Batch norm whose mode may be a traced boolean."""
import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


class SwitchNorm(nnx.Module):
    def __init__(self, dim: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(dim))
        self.beta = nnx.Param(jnp.zeros(dim))
        self.mean = nnx.BatchStat(jnp.zeros(dim))
        self.var = nnx.BatchStat(jnp.ones(dim))

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        decay = self.momentum

        def from_batch(operand):
            x, mean, var = operand
            batch_mean = jnp.mean(x, axis=0)
            batch_var = jnp.mean(jnp.square(x - batch_mean), axis=0)
            kept_mean = decay * mean + (1 - decay) * lax.stop_gradient(batch_mean)
            kept_var = decay * var + (1 - decay) * lax.stop_gradient(batch_var)
            return batch_mean, batch_var, kept_mean, kept_var

        def from_running(operand):
            _, mean, var = operand
            return mean, var, mean, var

        mean, var, kept_mean, kept_var = lax.cond(
            use_running_average,
            from_batch,
            from_running,
            (x, self.mean.value, self.var.value),
        )
        self.mean.value = kept_mean
        self.var.value = kept_var
        inv = lax.rsqrt(var + self.eps)
        return (x - mean) * (self.gamma.value * inv) + self.beta.value
