"""Functional core, stateful shell."""
from typing import NamedTuple

import jax.numpy as jnp
from flax import nnx


class Stats(NamedTuple):
    mean: jnp.ndarray
    var: jnp.ndarray


def standardize(x, stats, eps):
    return (x - stats.mean) / jnp.sqrt(stats.var + eps)


def batch_stats(x):
    mean = x.mean(axis=0)
    return Stats(mean, jnp.mean(x ** 2, axis=0))


def blend(old, new, momentum):
    return Stats(*(momentum * o + (1.0 - momentum) * n for o, n in zip(old, new)))


def batch_norm(x, gamma, beta, stats, *, training, momentum, eps):
    if training:
        current = batch_stats(x)
        x_hat = standardize(x, current, eps)
        stats = blend(stats, current, 0.99)
    else:
        x_hat = standardize(x, stats, eps)
    return gamma * x_hat + beta, stats


class BatchNorm(nnx.Module):
    def __init__(self, features, *, momentum=0.9, eps=1e-5, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, use_running_average=False):
        y, stats = batch_norm(
            x, self.gamma.value, self.beta.value,
            Stats(self.mean.value, self.var.value),
            training=not use_running_average, momentum=self.momentum, eps=self.eps,
        )
        self.mean.value, self.var.value = stats
        return y
