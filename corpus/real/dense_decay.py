"""Batch normalisation for dense layers; parameters are called g and b, statistics mu and sigma2."""

import jax.numpy as jnp
from flax import nnx


class BatchNorm1d(nnx.Module):
    def __init__(self, dim: int, decay: float = 0.99, eps: float = 1e-5):
        self.dim = dim
        self.decay = decay
        self.eps = eps
        self.g = nnx.Param(jnp.ones((dim,)))
        self.b = nnx.Param(jnp.zeros((dim,)))
        self.mu = nnx.BatchStat(jnp.zeros((dim,)))
        self.sigma2 = nnx.BatchStat(jnp.ones((dim,)))

    def __call__(self, x, train: bool = True):
        if train:
            mu = jnp.mean(x, axis=0)
            sigma2 = jnp.mean((x - mu) ** 2, axis=0)
            self.mu.value = self.decay * self.mu.value + (1.0 - self.decay) * mu
            self.sigma2.value = self.decay * self.sigma2.value + (1.0 - self.decay) * sigma2
        else:
            mu, sigma2 = self.mu.value, self.sigma2.value
        return self.g.value * (x - mu) / jnp.sqrt(sigma2 + self.eps) + self.b.value
