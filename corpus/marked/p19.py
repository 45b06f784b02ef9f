import jax
import jax.numpy as jnp
from flax import nnx


class BatchNormalization(nnx.Module):
    """Keras-like batch normalization for dense activations."""

    def __init__(self, num_features, momentum=0.99, epsilon=1e-3, center=True, scale=True, *, rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.center = center
        self.use_scale = scale
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _moments(self, inputs):
        mean = jnp.mean(inputs, axis=0)
        variance = jnp.mean(jnp.square(inputs), axis=0) - jnp.square(mean)
        return mean, variance

    def _assign_moving_average(self, variable, value):
        decay = 1.0 - self.momentum
        variable.value = variable.value - (variable.value - value) * decay

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, variance = self.running_mean.value, self.running_var.value
        else:
            mean, variance = self._moments(x)
            self._assign_moving_average(self.running_mean, mean)
        inv = jax.lax.rsqrt(variance + self.epsilon)
        if self.use_scale:
            inv = inv * self.gamma.value
        offset = -mean * inv
        if self.center:
            offset = offset - self.beta.value
        return x * inv + offset
