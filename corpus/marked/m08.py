import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


class CondBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average=False):
        m, eps = self.momentum, self.eps

        def from_batch(operand):
            x, r_mean, r_var = operand
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            z = (x - mean) * lax.rsqrt(var + eps)
            return z, m * r_mean + (1 - m) * mean, m * r_var + (1 - m) * var

        def from_running(operand):
            x, r_mean, r_var = operand
            return (x - r_mean) * lax.rsqrt(r_var + eps), r_mean, r_var

        z, new_mean, new_var = lax.cond(
            use_running_average,
            from_batch,
            from_running,
            (x, self.mean.value, self.var.value),
        )
        self.mean.value = new_mean
        self.var.value = new_var
        return z * self.scale.value + self.bias.value
