"""NHWC; the unbiased variance is used for the batch as well as for the average."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm2d(nnx.Module):
    def __init__(self, features: int, decay: float = 0.9, epsilon: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones((1, 1, 1, features)))
        self.beta = nnx.Param(jnp.zeros((1, 1, 1, features)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((1, 1, 1, features)))
        self.moving_var = nnx.BatchStat(jnp.ones((1, 1, 1, features)))
        self.decay = decay
        self.epsilon = epsilon

    def __call__(self, x, is_training: bool):
        assert x.ndim == 4
        if is_training:
            mean = jnp.mean(x, axis=(0, 1, 2), keepdims=True)
            var = jnp.var(x, axis=(0, 1, 2), keepdims=True, ddof=1)
            self.moving_mean[...] = self.decay * self.moving_mean[...] + (1 - self.decay) * jax.lax.stop_gradient(mean)
            self.moving_var[...] = self.decay * self.moving_var[...] + (1 - self.decay) * jax.lax.stop_gradient(var)
        else:
            mean, var = self.moving_mean[...], self.moving_var[...]
        return (x - mean) / jnp.sqrt(var + self.epsilon) * self.gamma[...] + self.beta[...]
