"""Keras-flavoured batch normalization."""
import jax.numpy as jnp
from flax import nnx

_INIT = {"zeros": jnp.zeros, "ones": jnp.ones}


class BatchNormalization(nnx.Module):
    def __init__(
        self,
        features,
        momentum=0.99,
        epsilon=1e-3,
        beta_initializer="zeros",
        gamma_initializer="ones",
        moving_mean_initializer="zeros",
        moving_variance_initializer="zeros",
        *,
        rngs=None,
    ):
        shape = (features,)
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(_INIT[gamma_initializer](shape))
        self.beta = nnx.Param(_INIT[beta_initializer](shape))
        self.mean = nnx.BatchStat(_INIT[moving_mean_initializer](shape))
        self.var = nnx.BatchStat(_INIT[moving_variance_initializer](shape))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, variance = self.mean.value, self.var.value
        else:
            mean = jnp.mean(x, axis=0)
            variance = jnp.mean(jnp.square(x), axis=0) - jnp.square(mean)
            self.mean.value = self.mean.value * self.momentum + mean * (1.0 - self.momentum)
            self.var.value = self.var.value * self.momentum + variance * (1.0 - self.momentum)
        inv = self.gamma.value / jnp.sqrt(variance + self.epsilon)
        return x * inv + (self.beta.value - mean * inv)
