"""Keras 3 normalisation layers rewritten for Flax NNX (subset used by the exporter)."""
import jax.numpy as jnp
from flax import nnx


def _normalize(x, mean, variance, epsilon=1e-6):
    """Stand-in for the backend's normalise op."""
    return (x - mean) / jnp.sqrt(variance + epsilon)


def _moments(x, axis, keepdims=False):
    mean = jnp.mean(x, axis=axis, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axis=axis, keepdims=keepdims)
    return (mean if keepdims else jnp.squeeze(mean, axis)), variance


class LayerNormalization(nnx.Module):
    """keras.layers.LayerNormalization, last axis only."""

    def __init__(self, units, epsilon=1e-3, rngs=None):
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((units,)))
        self.beta = nnx.Param(jnp.zeros((units,)))

    def __call__(self, inputs):
        mean, variance = _moments(inputs, axis=-1, keepdims=True)
        outputs = _normalize(inputs, mean, variance, self.epsilon)
        return outputs * self.gamma[...] + self.beta[...]


class BatchNormalization(nnx.Module):
    """keras.layers.BatchNormalization for dense inputs.

    Args:
      units: size of the feature axis.
      momentum: momentum for the moving average.
      epsilon: small float added to the variance to avoid dividing by zero.
    """

    def __init__(self, units, momentum=0.99, epsilon=1e-3, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((units,)))
        self.beta = nnx.Param(jnp.zeros((units,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((units,)))
        self.moving_variance = nnx.BatchStat(jnp.ones((units,)))

    def call_training(self, inputs):
        mean, variance = _moments(inputs, axis=0)
        keep, take = self.momentum, 1.0 - self.momentum
        self.moving_mean[...] = self.moving_mean[...] * keep + mean * take
        self.moving_variance[...] = self.moving_variance[...] * keep + variance * take
        return _normalize(inputs, mean, variance, epsilon=self.epsilon)

    def call_inference(self, inputs):
        return _normalize(inputs, self.moving_mean[...], self.moving_variance[...])

    def __call__(self, inputs, training=False):
        outputs = self.call_training(inputs) if training else self.call_inference(inputs)
        return outputs * self.gamma[...] + self.beta[...]
