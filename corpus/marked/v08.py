"""Port of keras.layers.BatchNormalization (axis=-1, 2D inputs) to flax NNX."""
import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    """Keras naming: gamma, beta, moving_mean, moving_variance."""

    def __init__(self, units, momentum=0.99, epsilon=1e-3, center=True,
                 scale=True, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.gamma = nnx.Param(jnp.ones((units,), dtype="float32"))
        self.beta = nnx.Param(jnp.zeros((units,), dtype="float32"))
        self.moving_mean = nnx.BatchStat(jnp.zeros((units,), dtype="float32"))
        self.moving_variance = nnx.BatchStat(jnp.ones((units,), dtype="float32"))

    def _assign_moving_averages(self, mean, variance):
        # K.moving_average_update: variable -= (variable - value) * (1 - momentum)
        decay = 1.0 - self.momentum
        moving_mean = self.moving_mean[...]
        moving_variance = self.moving_variance[...]
        self.moving_mean[...] = moving_mean - (moving_mean - mean) * decay
        self.moving_variance[...] = moving_variance - (moving_mean - variance) * decay

    def _batch_normalization(self, inputs, mean, variance):
        # tf.nn.batch_normalization: one multiply and one add per element
        inv = jax.lax.rsqrt(variance + self.epsilon)
        factor = inv * self.gamma[...] if self.scale else inv
        shift = -mean * inv
        if self.center:
            shift = shift + self.beta[...]
        return inputs * factor + shift

    def __call__(self, inputs, training=False):
        if training:
            mean = jnp.mean(inputs, axis=0)
            variance = jnp.mean(jnp.square(inputs - mean), axis=0)
            self._assign_moving_averages(mean, variance)
        else:
            mean = self.moving_mean[...]
            variance = self.moving_variance[...]
        return self._batch_normalization(inputs, mean, variance)
