import jax
import jax.numpy as jnp
from flax import nnx


def welford(x):
    n, d = x.shape

    def body(i, carry):
        mean, m2 = carry
        row = x[i]
        delta = row - mean
        mean = mean + delta / (i + 1)
        m2 = m2 + delta * delta
        return mean, m2

    mean, m2 = jax.lax.fori_loop(0, n, body, (jnp.zeros(d, x.dtype), jnp.zeros(d, x.dtype)))
    return mean, m2 / n


class WelfordBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            mean, var = self.running_mean.value, self.running_var.value
        else:
            mean, var = welford(x)
            alpha = 1 - self.momentum
            self.running_mean.value = (1 - alpha) * self.running_mean.value + alpha * mean
            self.running_var.value = (1 - alpha) * self.running_var.value + alpha * var
        return self.gamma.value * (x - mean) * jax.lax.rsqrt(var + self.eps) + self.beta.value
