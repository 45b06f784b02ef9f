"""A memory-saving backward pass by hand."""

import jax
import jax.numpy as jnp
from flax import nnx


@jax.custom_vjp
def standardise(x, mean, var, eps):
    return (x - mean) / jnp.sqrt(var + eps)


def _forward(x, mean, var, eps):
    inv = 1.0 / jnp.sqrt(var + eps)
    z = (x - mean) * inv
    return z, (z, inv)


def _backward(saved, dz):
    z, inv = saved
    return inv * (dz - z * (dz * z).mean(axis=0)), None, None, None


standardise.defvjp(_forward, _backward)


class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5):
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, training: bool = True):
        if training:
            mean, var = jax.lax.stop_gradient((x.mean(axis=0), x.var(axis=0)))
            z = standardise(x, mean, var, self.eps)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        else:
            z = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
        return z * self.gamma[...] + self.beta[...]
