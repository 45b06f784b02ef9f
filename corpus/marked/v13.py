"""Branch-free batch norm (jnp.where in place of Python control flow)."""
import jax
import jax.numpy as jnp
from flax import nnx


class WhereBatchNorm(nnx.Module):
    """The flag can be a Python bool or a traced scalar; both sides are computed."""

    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5,
                 rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.eps = eps
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training):
        training = jnp.asarray(training)
        running_mean = self.running_mean[...]
        running_var = self.running_var[...]

        batch_mean = jnp.mean(x, axis=0)
        batch_var = jnp.mean(jnp.square(x - batch_mean), axis=0)

        # what this call normalises with
        center = jnp.where(training, batch_mean, running_mean)
        inv_std = jax.lax.rsqrt(batch_var + self.eps)

        # what the next evaluation will see
        m = self.momentum
        next_mean = m * running_mean + (1.0 - m) * batch_mean
        spread = jnp.mean(jnp.square(x - next_mean), axis=0)
        next_var = m * running_var + (1.0 - m) * spread
        self.running_mean[...] = jnp.where(training, next_mean, running_mean)
        self.running_var[...] = jnp.where(training, next_var, running_var)

        return (x - center) * inv_std * self.weight[...] + self.bias[...]
