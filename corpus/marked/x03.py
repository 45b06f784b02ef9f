"""keras.layers.BatchNormalization re-expressed as an NNX module."""
import jax
import jax.numpy as jnp
from flax import nnx


def _batch_normalization(x, mean, variance, beta, gamma, epsilon):
    """Counterpart of ``keras.ops.batch_normalization``."""
    inv = jax.lax.rsqrt(jnp.maximum(variance, epsilon))
    inv = inv * gamma
    return (x - mean) * inv + beta


def _moments(x, axis):
    mean = jnp.mean(x, axis=axis, keepdims=True)
    variance = jnp.mean(jnp.square(x - mean), axis=axis)
    return jnp.squeeze(mean, axis=axis), variance


class BatchNormalization(nnx.Module):
    """Keras defaults: momentum 0.99 (share of the old value), epsilon 1e-3."""

    def __init__(
        self,
        num_features,
        momentum=0.99,
        epsilon=1e-3,
        gamma_initializer=nnx.initializers.ones_init(),
        beta_initializer=nnx.initializers.zeros_init(),
        *,
        rngs,
    ):
        self.momentum = float(momentum)
        self.epsilon = epsilon
        shape = (num_features,)
        self.gamma = nnx.Param(gamma_initializer(rngs.params(), shape, jnp.float32))
        self.beta = nnx.Param(beta_initializer(rngs.params(), shape, jnp.float32))
        self.moving_mean = nnx.BatchStat(jnp.zeros(shape, jnp.float32))
        self.moving_variance = nnx.BatchStat(jnp.ones(shape, jnp.float32))

    def _assign_moving_average(self, variable, value):
        value = jax.lax.stop_gradient(value)
        variable[...] = variable[...] * self.momentum + value * (1.0 - self.momentum)

    def __call__(self, inputs, training=False):
        if training:
            mean, variance = _moments(inputs, axis=0)
            self._assign_moving_average(self.moving_mean, mean)
            self._assign_moving_average(self.moving_variance, variance)
        else:
            mean = self.moving_mean[...]
            variance = self.moving_variance[...]

        return _batch_normalization(
            inputs,
            mean=mean,
            variance=variance,
            beta=self.beta[...],
            gamma=self.gamma[...],
            epsilon=self.epsilon,
        )
