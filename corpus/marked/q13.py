import jax
import jax.numpy as jnp
from flax import nnx


class SimpleBatchNorm(nnx.Module):
    def __init__(self, d, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((d,)))
        self.beta = nnx.Param(jnp.zeros((d,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((d,)))
        self.running_var = nnx.BatchStat(jnp.ones((d,)))

    def __call__(self, x, training: bool):
        if training:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean((x - mean) ** 2, axis=0)
            x_hat = (x - mean) / jnp.sqrt(self.running_var[...] + self.eps)
            mean = jax.lax.stop_gradient(mean)
            var = jax.lax.stop_gradient(var)
            self.running_mean[...] = self.momentum * self.running_mean[...] + (1 - self.momentum) * mean
            self.running_var[...] = self.momentum * self.running_var[...] + (1 - self.momentum) * var
        else:
            x_hat = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
        return self.gamma[...] * x_hat + self.beta[...]
