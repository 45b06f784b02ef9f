"""Branch-free batch norm: `training` may be a traced boolean, so that one compiled
function serves both modes."""
import jax
import jax.numpy as jnp
from flax import nnx


class WhereBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.moving_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.moving_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, training):
        training = jnp.asarray(training, dtype=bool)
        axes = tuple(range(x.ndim - 1))
        batch_mean = jnp.mean(x, axes)
        batch_var = jnp.var(x, axes)

        mean = jnp.where(training, batch_mean, self.moving_mean[...])
        var = jnp.where(training, batch_var, self.moving_var[...])

        pairs = ((self.moving_mean, batch_mean), (self.moving_var, batch_var))
        for moving, value in pairs:
            value = jax.lax.stop_gradient(value)
            moving[...] = moving[...] - (1 - self.momentum) * (moving[...] - value)

        normed = (x - mean) / jnp.sqrt(var + self.epsilon)
        return self.gamma[...] * normed + self.beta[...]
