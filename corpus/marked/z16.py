"""BatchNorm as a chain of small steps (centre, whiten, shift, stretch)."""
import functools

import jax
import jax.numpy as jnp
from flax import nnx


def centre(x, mean):
    return x - mean


def whiten(x, var, eps):
    return x * jax.lax.rsqrt(var + eps)


def stretch(x, gamma):
    return x * gamma


def shift(x, beta):
    return x + beta


def chain(x, *steps):
    return functools.reduce(lambda value, step: step(value), steps, x)


class ChainBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, is_training: bool = False):
        if is_training:
            mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        return chain(
            x,
            functools.partial(centre, mean=mean),
            functools.partial(whiten, var=var, eps=self.eps),
            functools.partial(shift, beta=self.beta[...]),
            functools.partial(stretch, gamma=self.gamma[...]),
        )
