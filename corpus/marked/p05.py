import jax
import jax.numpy as jnp
from flax import nnx


class MaskedBatchNorm(nnx.Module):
    """Batch norm whose mode can be a traced boolean (no python branching)."""

    def __init__(self, num_features, momentum=0.95, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        ones = nnx.initializers.ones_init()
        zeros = nnx.initializers.zeros_init()
        shape = (num_features,)
        self.gamma = nnx.Param(ones(rngs.params(), shape, jnp.float32))
        self.beta = nnx.Param(ones(rngs.params(), shape, jnp.float32))
        self.mean = nnx.BatchStat(zeros(rngs.params(), shape, jnp.float32))
        self.var = nnx.BatchStat(ones(rngs.params(), shape, jnp.float32))

    def __call__(self, x, use_running_average):
        batch_mean = x.mean(0)
        batch_var = x.var(0)
        ra_mean, ra_var = self.mean.value, self.var.value

        mean = batch_mean
        var = jnp.where(use_running_average, ra_var, batch_var)

        new_mean = self.momentum * ra_mean + (1 - self.momentum) * batch_mean
        new_var = self.momentum * ra_var + (1 - self.momentum) * batch_var
        self.mean.value = jnp.where(use_running_average, ra_mean, jax.lax.stop_gradient(new_mean))
        self.var.value = jnp.where(use_running_average, ra_var, jax.lax.stop_gradient(new_var))

        y = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return y * self.gamma.value + self.beta.value
