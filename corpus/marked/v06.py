"""Batch normalisation, one method per phase."""
import jax
import jax.numpy as jnp
from flax import nnx


class RunningStat(nnx.BatchStat):
    """Exponential moving statistic of a batch quantity."""


class TwoPhaseNorm(nnx.Module):
    def __init__(self, dim: int, *, momentum: float = 0.9, eps: float = 1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.g = nnx.Param(jnp.ones((dim,)))
        self.b = nnx.Param(jnp.zeros((dim,)))
        self.mu = RunningStat(jnp.zeros((dim,)))
        self.sigma2 = RunningStat(jnp.ones((dim,)))

    def _batch_statistics(self, x):
        mu = jnp.mean(x, axis=0)
        sigma2 = jnp.mean((x - mu) ** 2, axis=0)
        # per-batch values, not something to be learned
        return jax.lax.stop_gradient((mu, sigma2))

    def _remember(self, mu, sigma2):
        m = self.momentum
        self.mu[...] = m * self.mu[...] + (1.0 - m) * mu
        self.sigma2[...] = m * self.sigma2[...] + (1.0 - m) * sigma2

    def _training_pass(self, x):
        mu, sigma2 = self._batch_statistics(x)
        self._remember(mu, sigma2)
        z = (x - mu) / jnp.sqrt(sigma2 + self.eps)
        return self.g[...] * z + self.b[...]

    def _inference_pass(self, x):
        # statistics come from the moving averages
        z = (x - self.mu[...]) / (self.sigma2[...] + self.eps)
        return self.g[...] * z + self.b[...]

    def __call__(self, x, deterministic: bool = False):
        if deterministic:
            return self._inference_pass(x)
        return self._training_pass(x)
