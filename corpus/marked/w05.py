"""TensorFlow 1 style batch normalisation rewritten on top of flax NNX.

Keeps the split used in our old TF code: ``moments`` computes the statistics,
``batch_normalization`` is a pure function, and the layer owns the variables.
"""
import jax
import jax.numpy as jnp
from flax import nnx


def moments(x, axes, keep_dims=False):
    """Mean and (population) variance over ``axes``, as tf.nn.moments."""
    mean = jnp.mean(x, axis=axes, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axis=axes, keepdims=keep_dims)
    if not keep_dims:
        mean = jnp.squeeze(mean, axes)
    return mean, variance


def batch_normalization(x, mean, variance, offset, scale, variance_epsilon):
    """Same contract as tf.nn.batch_normalization."""
    inv = jax.lax.rsqrt(variance + variance_epsilon)
    if scale is not None:
        inv = inv * scale
    shift = -mean * inv
    if offset is not None:
        shift = shift + offset
    return x * inv + shift


def assign_moving_average(variable, value, decay):
    variable[...] = variable[...] - (variable[...] - value) * (1.0 - decay)


class BatchNormalization(nnx.Module):
    """tf.layers.batch_normalization for (batch, channels) tensors."""

    def __init__(self, channels, momentum=0.99, epsilon=1e-3, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones([channels], jnp.float32))
        self.beta = nnx.Param(jnp.zeros([channels], jnp.float32))
        self.moving_mean = nnx.BatchStat(jnp.zeros([channels], jnp.float32))
        self.moving_variance = nnx.BatchStat(jnp.ones([channels], jnp.float32))

    def __call__(self, inputs, training=False):
        if training:
            mean, variance = moments(inputs, axes=(0,))
            assign_moving_average(self.moving_mean, mean, self.momentum)
            assign_moving_average(self.moving_variance, variance, self.momentum)
        else:
            mean, variance = self.moving_mean[...], self.moving_variance[...]
        return batch_normalization(
            inputs, mean, variance, self.gamma[...], self.beta[...], self.epsilon)
