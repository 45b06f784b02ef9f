"""Batch norm on top of a small tracker base class.

The mode is set with layer.train() / layer.eval(), as everywhere in NNX.
"""
import jax
import jax.numpy as jnp
from flax import nnx


class StatTracker(nnx.Module):
    """Keeps moving first and second moments for a set of features."""

    def __init__(self, features: int, momentum: float):
        self.momentum = momentum
        self.mean = nnx.BatchStat(jnp.zeros((features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.zeros((features,), jnp.float32))

    def track(self, mean: jax.Array, var: jax.Array) -> None:
        rate = 1.0 - self.momentum
        self.mean[...] += rate * (mean - self.mean[...])
        self.var[...] += rate * (var - self.var[...])

    def tracked(self):
        return self.mean[...], self.var[...]


class TrackedBatchNorm(StatTracker):
    def __init__(
        self,
        features: int,
        momentum: float = 0.95,
        epsilon: float = 1e-5,
        rngs: nnx.Rngs | None = None,
    ):
        super().__init__(features, momentum)
        self.epsilon = epsilon
        self.use_running_average = False
        self.scale = nnx.Param(jnp.ones((features,), jnp.float32))
        self.offset = nnx.Param(jnp.zeros((features,), jnp.float32))

    def __call__(self, x: jax.Array) -> jax.Array:
        mean = jnp.mean(x, axis=0)
        var = jnp.mean((x - mean) ** 2, axis=0)
        self.track(mean, var)
        if self.use_running_average:
            mean, var = self.tracked()
        inv = jax.lax.rsqrt(var + self.epsilon)
        return self.scale[...] * ((x - mean) * inv) + self.offset[...]
