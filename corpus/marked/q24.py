import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.moving_var = nnx.BatchStat(jnp.ones((num_features,)))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, train: bool):
        if train:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean((x - mean) ** 2, axis=0)
            mean_s = jax.lax.stop_gradient(mean)
            var_s = jax.lax.stop_gradient(var)
            self.moving_mean[...] = self.moving_mean[...] * self.momentum + mean_s * (1 - self.momentum)
            self.moving_var[...] = self.moving_var[...] * self.momentum + var_s * (1 - self.momentum)
        else:
            mean = self.moving_mean[...]
            var = self.moving_var[...]
        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma[...] * (x_hat + self.beta[...])
