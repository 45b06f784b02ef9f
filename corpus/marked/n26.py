import jax
import jax.numpy as jnp
from flax import nnx


def batch_normalize(x, mean, var, gamma, beta, eps=1e-3):
    """gamma * (x - mean) / sqrt(var + eps) + beta"""
    inv = gamma / jnp.sqrt(var + eps)
    return (x - mean) * inv + beta


class BatchNormalization(nnx.Module):
    def __init__(self, features: int, momentum: float = 0.9, epsilon: float = 1e-5, *, rngs=None):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.moving_mean = nnx.Variable(jnp.zeros((features,)))
        self.moving_variance = nnx.Variable(jnp.ones((features,)))

    def _moving(self, variable, value):
        value = jax.lax.stop_gradient(value)
        variable.value = variable.value * self.momentum + value * (1.0 - self.momentum)

    def _call_training(self, x):
        mean = jnp.mean(x, axis=0)
        variance = jnp.mean(jnp.square(x - mean), axis=0)
        self._moving(self.moving_mean, mean)
        self._moving(self.moving_variance, variance)
        return batch_normalize(
            x, mean, variance, self.gamma.value, self.beta.value, self.epsilon
        )

    def _call_inference(self, x):
        mean, variance = self.moving_mean.value, self.moving_variance.value
        return batch_normalize(x, mean, variance, self.gamma.value, self.beta.value)

    def __call__(self, x, training: bool = False):
        if training:
            return self._call_training(x)
        return self._call_inference(x)
