"""The reference: Batch Normalization as a flax NNX module."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx


class MyBatchNorm(nnx.Module):
    """Batch Normalization over axis 0 of an input of shape (N, D).

    Training: ``y = gamma·(x−μ)/√(v+eps) + beta`` with the mean μ and the biased variance v of
    the batch, and ``running = momentum·running + (1−momentum)·batch`` for both statistics.
    Evaluation: the same formula with the running statistics, which do not change.

    Source: Ioffe & Szegedy 2015, arXiv:1502.03167, Algorithms 1 and 2.
    """

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        del rngs  # ones and zeros need no randomness
        self.gamma = nnx.Param(jnp.ones((d,), jnp.float32))
        self.beta = nnx.Param(jnp.zeros((d,), jnp.float32))
        self.running_mean = nnx.Variable(jnp.zeros((d,), jnp.float32))
        self.running_var = nnx.Variable(jnp.ones((d,), jnp.float32))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x: jax.Array, use_running_average: bool) -> jax.Array:
        if use_running_average:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            mean = jnp.mean(x, axis=0)
            var = jnp.mean(jnp.square(x - mean), axis=0)
            self.running_mean[...] = self._updated(self.running_mean[...], mean)
            self.running_var[...] = self._updated(self.running_var[...], var)
        normalized = (x - mean) / jnp.sqrt(var + self.eps)
        return self.gamma[...] * normalized + self.beta[...]

    def _updated(self, running: jax.Array, batch: jax.Array) -> jax.Array:
        return self.momentum * running + (1 - self.momentum) * jax.lax.stop_gradient(batch)
