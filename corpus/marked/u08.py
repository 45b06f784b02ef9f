"""TensorFlow 1.x batch norm, carried over to Flax NNX for the legacy ranking model.

`tf_moments` and `tf_batch_normalization` mirror tf.nn.moments and
tf.nn.batch_normalization, including the order of their arguments.
"""
import jax
import jax.numpy as jnp
from flax import nnx


def tf_moments(x, axes):
    mean = jnp.mean(x, axis=axes)
    variance = jnp.mean(jnp.square(x - jax.lax.stop_gradient(mean)), axis=axes)
    return mean, variance


def tf_batch_normalization(x, mean, variance, offset, scale, variance_epsilon):
    """Computes (x - mean) * scale / sqrt(variance + variance_epsilon) + offset."""
    inv = jax.lax.rsqrt(variance + variance_epsilon)
    inv = inv * scale
    return x * inv + (offset - mean * inv)


def assign_moving_average(variable, value, decay):
    """variable -= (1 - decay) * (variable - value)"""
    old = variable[...]
    variable[...] = old - (1.0 - decay) * (old - value)


class LegacyBatchNorm(nnx.Module):
    """Replacement for `tf.layers.batch_normalization` on dense features."""

    def __init__(self, units, momentum=0.99, epsilon=1e-3, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones([units]))
        self.beta = nnx.Param(jnp.zeros([units]))
        self.moving_mean = nnx.BatchStat(jnp.zeros([units]))
        self.moving_variance = nnx.BatchStat(jnp.ones([units]))

    def __call__(self, inputs, training=False):
        if training:
            mean, variance = tf_moments(inputs, axes=(0,))
            assign_moving_average(self.moving_mean, mean, self.momentum)
            assign_moving_average(self.moving_variance, variance, self.momentum)
        else:
            mean, variance = self.moving_mean[...], self.moving_variance[...]
        return tf_batch_normalization(
            inputs, mean, variance, self.gamma[...], self.beta[...], self.epsilon
        )
