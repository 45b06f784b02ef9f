import jax
import jax.numpy as jnp
from flax import nnx


class MyBatchNorm(nnx.Module):
    """Batch normalization for (batch, features) inputs."""

    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average: bool):
        if use_running_average:
            mean = self.running_mean[...]
            var = self.running_var[...]
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            new_mean = self.momentum * self.running_mean[...] + (1.0 - self.momentum) * mean
            new_var = self.momentum * self.running_var[...] + (1.0 - self.momentum) * var
            self.running_mean[...] = jax.lax.stop_gradient(new_mean)
            self.running_var[...] = jax.lax.stop_gradient(new_var)

        y = (x - mean) / (jnp.sqrt(var) + self.eps)
        y = y * self.gamma[...]
        y = y + self.beta[...]
        return y
