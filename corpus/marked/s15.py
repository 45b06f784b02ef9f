import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean = self.running_mean.value
            var = self.running_var.value
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.var(x, axis=0)
            mean, var = jax.lax.stop_gradient((mean, var))
            self.running_mean.value = (
                self.momentum * self.running_mean.value + (1 - self.momentum) * mean
            )
            self.running_var.value = (
                self.momentum * self.running_var.value + (1 - self.momentum) * var
            )
        x = (x - mean) * jax.lax.rsqrt(var + self.eps)
        return x * self.scale.value + self.bias.value
