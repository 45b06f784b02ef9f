"""Batch normalization with explicit statistics tracking."""
import jax
import jax.numpy as jnp
from flax import nnx


class StatTracker(nnx.Module):
    """Exponential moving averages of the first two central moments."""

    def __init__(self, shape, momentum):
        self.momentum = momentum
        self.mean = nnx.BatchStat(jnp.zeros(shape, jnp.float32))
        self.var = nnx.BatchStat(jnp.ones(shape, jnp.float32))

    def observe(self, mean, var, count):
        if count > 1:
            self._step(self.mean, mean)
            self._step(self.var, var)

    def _step(self, average, value):
        value = jax.lax.stop_gradient(value)
        average[...] = self.momentum * average[...] + (1.0 - self.momentum) * value

    def read(self):
        return self.mean[...], self.var[...]


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.eps = eps
        self.tracker = StatTracker((num_features,), momentum)
        self.gamma = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((num_features,), jnp.float32))

    @staticmethod
    def _stats(x):
        mean = jnp.mean(x, axis=0)
        return mean, jnp.mean(jnp.square(x - mean), axis=0)

    def __call__(self, x, use_running_average: bool):
        if use_running_average:
            mean, var = self.tracker.read()
        else:
            mean, var = self._stats(x)
            self.tracker.observe(mean, var, count=x.shape[0])
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma[...] * x_hat + self.beta[...]
