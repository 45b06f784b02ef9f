import jax.numpy as jnp
from flax import nnx


class BatchNormLayer(nnx.Module):

    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-3, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((1, num_features)))
        self.beta = nnx.Param(jnp.zeros((1, num_features)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((1, num_features)))
        self.moving_variance = nnx.BatchStat(jnp.ones((1, num_features)))

    def _assign_moving_average(self, variable, value):
        delta = (variable[...] - value) * (1.0 - self.momentum)
        variable[...] = variable[...] - delta

    def _batch_normalization(self, x, mean, variance):
        std = jnp.sqrt(variance) + self.epsilon
        return self.gamma[...] * (x - mean) / std + self.beta[...]

    def __call__(self, x, training=True):
        if not training:
            return self._batch_normalization(
                x, self.moving_mean[...], self.moving_variance[...]
            )
        mean = jnp.mean(x, axis=0, keepdims=True)
        variance = jnp.mean((x - mean) ** 2, axis=0, keepdims=True)
        self._assign_moving_average(self.moving_mean, mean)
        self._assign_moving_average(self.moving_variance, variance)
        return self._batch_normalization(x, mean, variance)
