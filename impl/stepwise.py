"""A correct layer divided into small steps, so that a variant or a fault takes a few lines."""

from __future__ import annotations

from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import nnx

Array: TypeAlias = jax.Array


class StepwiseBatchNorm(nnx.Module):
    """Batch Normalization in which each step can be overridden separately."""

    def __init__(self, d: int, momentum: float, eps: float, rngs: nnx.Rngs) -> None:
        self.momentum = momentum
        self.eps = eps
        self.create(d, rngs)

    def create(self, d: int, rngs: nnx.Rngs) -> None:
        """Create the four Variables."""
        self.gamma = nnx.Param(self.start_gamma(d, rngs))
        self.beta = nnx.Param(self.start_beta(d))
        self.running_mean = nnx.Variable(self.start_mean(d))
        self.running_var = nnx.Variable(self.start_var(d))

    def start_gamma(self, d: int, rngs: nnx.Rngs) -> Array:
        del rngs
        return jnp.ones((d,), jnp.float32)

    def start_beta(self, d: int) -> Array:
        return jnp.zeros((d,), jnp.float32)

    def start_mean(self, d: int) -> Array:
        return jnp.zeros((d,), jnp.float32)

    def start_var(self, d: int) -> Array:
        return jnp.ones((d,), jnp.float32)

    def __call__(self, x: Any, use_running_average: Any) -> Any:
        return self.evaluate(x) if use_running_average else self.train_step(x)

    def train_step(self, x: Any) -> Any:
        """Normalize x, (N, D), with the batch, and update the running statistics."""
        mean, var = self.statistics(x)
        self.update(x, mean, var)
        return self.output(x, mean, var)

    def evaluate(self, x: Any) -> Any:
        """Normalize x, (N, D), with the running statistics."""
        return self.output(x, self.running_mean[...], self.running_var[...])

    def statistics(self, x: Any) -> tuple[Array, Array]:
        """Return the mean and the biased variance of the batch, (D,) each."""
        mean = self.batch_mean(x)
        return mean, self.batch_var(x, mean)

    def batch_mean(self, x: Any) -> Array:
        return jnp.mean(x, axis=0)

    def batch_var(self, x: Any, mean: Array) -> Array:
        return jnp.mean(jnp.square(x - mean), axis=0)

    def update(self, x: Any, mean: Array, var: Array) -> None:
        """Store the new running statistics.

        Args:
            x: The batch, (N, D), for steps that need it.
            mean: The mean of the batch, (D,).
            var: The biased variance of the batch, (D,).
        """
        del x
        self.running_mean[...] = self.moved(self.running_mean[...], mean)
        self.running_var[...] = self.moved_var(self.running_var[...], var)

    def moved(self, old: Array, new: Array) -> Array:
        """Return one step of the moving average, momentum·old + (1−momentum)·new, (D,)."""
        return self.momentum * old + (1 - self.momentum) * jax.lax.stop_gradient(new)

    def moved_var(self, old: Array, new: Array) -> Array:
        return self.moved(old, new)

    def output(self, x: Any, mean: Array, var: Array) -> Array:
        """Normalize, scale and shift: y, (N, D).

        Args:
            x: The batch, (N, D).
            mean: The mean used to normalize, (D,).
            var: The variance used to normalize, (D,).
        """
        return self.affine(self.normalized(x, mean, var))

    def normalized(self, x: Any, mean: Array, var: Array) -> Array:
        return (x - mean) * self.inverse_std(var)

    def inverse_std(self, var: Array) -> Array:
        return 1 / jnp.sqrt(var + self.eps)

    def affine(self, z: Array) -> Array:
        return self.gamma[...] * z + self.beta[...]
