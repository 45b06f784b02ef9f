"""Values of a paper, fixed as constants of the class; NHWC; set_mode switches."""

import jax
import jax.numpy as jnp
from flax import nnx


class PaperBatchNorm(nnx.Module):
    momentum = 0.997
    epsilon = 1e-5

    def __init__(self, filters: int, rngs: nnx.Rngs):
        self.gamma = nnx.Param(nnx.initializers.ones_init()(rngs.params(), (filters,)))
        self.beta = nnx.Param(nnx.initializers.zeros_init()(rngs.params(), (filters,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((filters,)))
        self.moving_variance = nnx.BatchStat(jnp.ones((filters,)))
        self._train = True

    def set_training(self, training: bool) -> None:
        self._train = training

    def __call__(self, images: jax.Array) -> jax.Array:
        assert images.ndim == 4
        if self._train:
            mean = jnp.mean(images, (0, 1, 2))
            var = jnp.mean((images - mean) ** 2, (0, 1, 2))
            for variable, value in ((self.moving_mean, mean), (self.moving_variance, var)):
                change = (1 - self.momentum) * (variable[...] - jax.lax.stop_gradient(value))
                variable[...] = variable[...] - change
        else:
            mean, var = self.moving_mean[...], self.moving_variance[...]
        return (images - mean) / jnp.sqrt(var + self.epsilon) * self.gamma[...] + self.beta[...]
