"""Batch norm with the statistics accumulated row by row (lax.fori_loop).

All sums are taken relative to the first row of the batch, so that the
single pass over the data does not lose digits when |mean| >> std.  The mode
follows ``layer.train()`` / ``layer.eval()``.
"""
import jax.numpy as jnp
from flax import nnx
from jax import lax


def shifted_moments(x):
    """Mean and variance of the rows of ``x``; x[0] serves as pivot."""
    n = x.shape[0]
    pivot = x[0]

    def body(i, sums):
        s1, s2, count = sums
        d = x[i] - pivot
        return s1 + d, s2 + d * d, count + 1.0

    zero = jnp.zeros_like(pivot)
    # the pivot row contributes nothing to either sum
    s1, s2, count = lax.fori_loop(1, n, body, (zero, zero, 0.0))
    m1 = s1 / count
    return pivot + m1, s2 / count - m1 * m1


class LoopBatchNorm(nnx.Module):
    """(N, D) batch norm, mode switched with .train() and .eval()."""

    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.use_running_average = False
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x):
        if self.use_running_average:
            mu, var = self.running_mean[...], self.running_var[...]
        else:
            mu, var = shifted_moments(x)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mu
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        x_hat = (x - mu) / jnp.sqrt(var + self.epsilon)
        return self.gamma[...] * x_hat + self.beta[...]
