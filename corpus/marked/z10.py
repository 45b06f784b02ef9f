"""BatchNorm with the bookkeeping factored out into a small tracker module."""
import jax
import jax.numpy as jnp
from flax import nnx


class StatsTracker(nnx.Module):
    """Exponential moving averages of the batch moments."""

    def __init__(self, num_features, momentum):
        self.momentum = momentum
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def observe(self, mean, var):
        a = self.momentum
        self.mean[...] = a * self.mean[...] + (1 - a) * mean
        self.var[...] = a * self.var[...] + (1 - a) * var

    def current(self):
        return self.mean[...], self.var[...]


def batch_moments(x):
    mean = jnp.mean(x, axis=0)
    return mean, jnp.mean((x - mean) ** 2, axis=0)


class TrackedBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *,
                 rngs: nnx.Rngs):
        self.epsilon = epsilon
        self.tracker = StatsTracker(num_features, momentum)
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))

    def __call__(self, x, is_training: bool):
        if is_training:
            mean, var = jax.lax.stop_gradient(batch_moments(x))
            self.tracker.observe(mean, var)
        else:
            mean, var = self.tracker.current()
        x_hat = (x - mean) / jnp.sqrt(var + self.epsilon)
        return self.scale[...] * x_hat + self.bias[...]
