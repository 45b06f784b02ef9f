"""A minimal layer library for the NNX tutorial: Dropout and BatchNorm.

Both layers have two modes.  The mode can be fixed for a whole model with
``model.train()`` / ``model.eval()`` or chosen for a single call by passing
the flag explicitly.
"""
import jax
import jax.numpy as jnp
from flax import nnx


def pick(*candidates):
    """The first candidate that is not None."""
    for c in candidates:
        if c is not None:
            return c
    raise ValueError("no mode given")


class Dropout(nnx.Module):
    """Inverted dropout."""

    def __init__(self, rate, *, deterministic=False, rngs):
        self.rate = rate
        self.deterministic = deterministic
        self.rngs = rngs

    def __call__(self, x, deterministic=None):
        if pick(deterministic, self.deterministic) or self.rate == 0.0:
            return x
        keep = jax.random.bernoulli(self.rngs.dropout(), 1 - self.rate, x.shape)
        return jnp.where(keep, x / (1 - self.rate), 0.0)


class BatchNorm(nnx.Module):
    """Batch normalisation over the first axis.

    Args:
      num_features: size of the last axis.
      use_running_average: mode of calls that do not pass the flag.
      momentum: decay rate of the running statistics.
      epsilon: added to the variance.
    """

    def __init__(self, num_features, *, use_running_average=False,
                 momentum=0.9, epsilon=1e-5, rngs=None):
        self.use_running_average = use_running_average
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=None):
        frozen = pick(self.use_running_average, use_running_average)
        ra_mean, ra_var = self.mean[...], self.var[...]
        mean = jnp.where(frozen, ra_mean, jnp.mean(x, axis=0))
        var = jnp.where(frozen, ra_var, jnp.var(x, axis=0))
        decay = self.momentum
        self.mean[...] = jnp.where(frozen, ra_mean, decay * ra_mean + (1 - decay) * mean)
        self.var[...] = jnp.where(frozen, ra_var, decay * ra_var + (1 - decay) * var)
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.scale[...] + self.bias[...]
