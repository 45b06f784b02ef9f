"""One-pass BatchNorm using shifted data.

The raw E[x^2] - E[x]^2 formula cancels badly when the mean is large, so the
data are first shifted by a cheap estimate of the mean (the running mean).
"""
import jax
import jax.numpy as jnp
from flax import nnx


def shifted_moments(x, shift):
    """Mean and variance over axis 0, accumulated around `shift`."""
    d = x - shift
    s1 = jnp.mean(d, axis=0)
    s2 = jnp.mean(d * d, axis=0)
    mean = shift + s1
    var = s2
    return mean, var


class ShiftedBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.99, epsilon=1e-3, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.moving_variance = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training=False):
        if training:
            shift = jax.lax.stop_gradient(self.moving_mean[...])
            mean, var = shifted_moments(x, shift)
            self._assign_moving_average(self.moving_mean, mean)
            self._assign_moving_average(self.moving_variance, var)
        else:
            mean, var = self.moving_mean[...], self.moving_variance[...]
        inv = self.gamma[...] * jax.lax.rsqrt(var + self.epsilon)
        return x * inv + (self.beta[...] - mean * inv)

    def _assign_moving_average(self, variable, value):
        variable[...] = variable[...] - (variable[...] - value) * (1 - self.momentum)
