import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average: bool):
        if use_running_average:
            mean = self.running_mean.value
            var = self.running_var.value
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean((x - mean) ** 2, axis=0)
            batch_mean = jax.lax.stop_gradient(mean)
            batch_var = jax.lax.stop_gradient(var)
            self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * batch_mean
            self.running_var.value = self.momentum * self.running_mean.value + (1 - self.momentum) * batch_var

        x_hat = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma.value * x_hat + self.beta.value
