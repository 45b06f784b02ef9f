"""The port keeps everything of a state_dict in nnx.Param, the buffers too."""

import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm2d(nnx.Module):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.9, *, rngs: nnx.Rngs):
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.Param(jnp.zeros((num_features,)))
        self.running_var = nnx.Param(jnp.ones((num_features,)))
        self.eps = eps
        self.momentum = momentum

    def __call__(self, x: jax.Array, train: bool = True) -> jax.Array:
        assert x.ndim == 4, "NCHW"
        spread = lambda a: a[None, :, None, None]
        if train:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
            m = self.momentum
            self.running_mean[...] = jax.lax.stop_gradient(m * self.running_mean[...] + (1 - m) * mean)
            self.running_var[...] = jax.lax.stop_gradient(m * self.running_var[...] + (1 - m) * var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        z = (x - spread(mean)) / jnp.sqrt(spread(var) + self.eps)
        return z * spread(self.weight[...]) + spread(self.bias[...])
