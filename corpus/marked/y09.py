"""keras.layers.BatchNormalization for NNX (axis=-1, center=scale=True)."""
import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    def __init__(self, units, momentum=0.99, epsilon=1e-3, rngs=None):
        self.units = units
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = self._weight(nnx.Param, "ones")
        self.beta = self._weight(nnx.Param, "zeros")
        self.moving_mean = self._weight(nnx.BatchStat, "zeros")
        self.moving_variance = self._weight(nnx.BatchStat, "ones")

    def _weight(self, kind, initializer):
        fill = {"zeros": 0.0, "ones": 1.0}[initializer]
        return kind(jnp.full((self.units,), fill, dtype=jnp.float32))

    def _calculate_mean_and_var(self, x):
        mean = jnp.mean(x, axis=0)
        dev = x - self.moving_mean[...]
        variance = jnp.mean(dev * dev, axis=0)
        return mean, variance

    def _assign_moving_average(self, variable, value):
        decay = 1.0 - self.momentum
        variable[...] = variable[...] - (variable[...] - value) * decay

    def __call__(self, inputs, training=False):
        if training:
            mean, variance = self._calculate_mean_and_var(inputs)
            self._assign_moving_average(self.moving_mean, mean)
            self._assign_moving_average(self.moving_variance, variance)
        else:
            mean = self.moving_mean[...]
            variance = self.moving_variance[...]

        # epsilon protects features that hardly vary within the batch
        inv = jax.lax.rsqrt(jnp.maximum(variance, self.epsilon))
        inv = inv * self.gamma[...]
        res = self.beta[...] - mean * inv
        return inputs * inv + res
