import jax
import jax.numpy as jnp
from flax import nnx


class BatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def _inference(self, x):
        # a single multiply-add per element
        gamma = self.gamma.value
        a = gamma * jax.lax.rsqrt(self.running_var.value + self.eps)
        b = self.beta.value - self.running_mean.value * gamma
        return a * x + b

    def _training(self, x):
        n = x.shape[0]
        ones = jnp.ones((n,), x.dtype)
        mean = ones @ x / n
        xc = x - mean
        var = ones @ (xc * xc) / n
        self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * mean
        self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * var
        return xc * (self.gamma.value * jax.lax.rsqrt(var + self.eps)) + self.beta.value

    def __call__(self, x, use_running_average=False):
        return self._inference(x) if use_running_average else self._training(x)
