"""Batch norm on top of Welford's streaming algorithm."""
import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def welford(x):
    d = x.shape[1]

    def push(carry, row):
        count, mean, m2 = carry
        count = count + 1.0
        delta = row - mean
        mean = mean + delta / count
        m2 = m2 + delta * delta
        return (count, mean, m2), None

    init = (jnp.zeros(()), jnp.zeros((d,)), jnp.zeros((d,)))
    (count, mean, m2), _ = lax.scan(push, init, x)
    return mean, m2 / count


class StreamingBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.shift = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.Variable(jnp.zeros((num_features,)))
        self.var = nnx.Variable(jnp.ones((num_features,)))

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        if use_running_average:
            mean, var = self.mean.value, self.var.value
        else:
            mean, var = welford(x)
            self.mean.value = self.mean.value * self.momentum + mean * (1 - self.momentum)
            self.var.value = self.var.value * self.momentum + var * (1 - self.momentum)
        return self.scale.value * (x - mean) / jnp.sqrt(var + self.eps) + self.shift.value
