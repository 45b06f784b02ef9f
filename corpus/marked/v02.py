"""Homework 3, part 2: batch normalisation as small pure functions + a module."""
import jax
import jax.numpy as jnp
from flax import nnx


def column_mean(x):
    return jnp.sum(x, axis=0) / x.shape[0]


def column_spread(x, center):
    """Average squared distance of every column to its center."""
    d = x - center
    return jnp.sum(d * d, axis=0) / x.shape[0]


def standardize(x, mean, var, eps):
    return (x - mean) * jax.lax.rsqrt(var + eps)


def scale_and_shift(x_hat, gamma, beta):
    return gamma * (x_hat + beta)


def moving_average(old, new, momentum):
    return momentum * old + (1.0 - momentum) * new


class BatchNorm(nnx.Module):
    def __init__(self, features: int, momentum: float = 0.9,
                 epsilon: float = 1e-5, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        # learnable
        self.gamma = nnx.Param(jnp.ones(features))
        self.beta = nnx.Param(jnp.zeros(features))
        # not learnable
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average: bool = False):
        mean, var = self.mean[...], self.var[...]
        if not use_running_average:
            batch_mean = column_mean(x)
            batch_var = column_spread(x, mean)
            self.mean[...] = moving_average(mean, batch_mean, self.momentum)
            self.var[...] = moving_average(var, batch_var, self.momentum)
            mean, var = batch_mean, batch_var

        out = standardize(x, mean, var, self.epsilon)
        return scale_and_shift(out, self.gamma[...], self.beta[...])
