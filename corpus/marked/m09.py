import jax
import jax.numpy as jnp
from flax import nnx


class FlaggedBatchNorm(nnx.Module):
    """Batch norm whose flag may be a traced boolean."""

    def __init__(self, features: int, momentum: float = 0.9, epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.running_var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x: jax.Array, use_running_average=False) -> jax.Array:
        frozen = jnp.asarray(use_running_average)
        old_mean, old_var = self.running_mean.value, self.running_var.value

        batch_mean = x.mean(0)
        batch_var = x.var(0)
        new_mean = self.momentum * old_mean + (1.0 - self.momentum) * batch_mean
        new_var = self.momentum * old_var + (1.0 - self.momentum) * batch_var

        mean = jnp.where(frozen, old_mean, batch_mean)
        var = jnp.where(frozen, old_var, batch_var)

        self.running_mean.value = jnp.where(frozen, old_mean, new_mean)
        self.running_var.value = jnp.where(frozen, new_var, old_var)

        y = (x - mean) / jnp.sqrt(var + self.epsilon)
        return y * self.gamma.value + self.beta.value
