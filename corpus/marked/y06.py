"""Batch normalisation used in the contrastive-learning experiments."""
import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


class ProjectorBatchNorm(nnx.Module):
    """Normalises the projector's hidden units over the batch."""

    def __init__(
        self,
        dim: int,
        momentum: float = 0.9,
        eps: float = 1e-3,
        rngs: nnx.Rngs | None = None,
    ):
        self.dim = dim
        self.momentum = momentum
        self.eps = eps
        self.g = nnx.Param(jnp.ones(dim))
        self.b = nnx.Param(jnp.zeros(dim))
        self.ema_mean = nnx.BatchStat(jnp.zeros(dim))
        self.ema_var = nnx.BatchStat(jnp.ones(dim))

    def _train_path(self, x):
        mu = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mu), axis=0)
        mu, var = lax.stop_gradient((mu, var))

        m = self.momentum
        self.ema_mean[...] = m * self.ema_mean[...] + (1 - m) * mu
        self.ema_var[...] = m * self.ema_var[...] + (1 - m) * var
        return (x - mu) * lax.rsqrt(var + self.eps)

    def _eval_path(self, x):
        # one multiply per element at inference time
        inv_std = lax.rsqrt(self.ema_var[...])
        return (x - self.ema_mean[...]) * inv_std

    def __call__(self, x: jax.Array, deterministic: bool = False) -> jax.Array:
        z = self._eval_path(x) if deterministic else self._train_path(x)
        return z * self.g[...] + self.b[...]
