import jax.numpy as jnp
from flax import nnx


class BN(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.g = nnx.Param(jnp.ones((num_features,)))
        self.b = nnx.Param(jnp.zeros((num_features,)))
        self.mu = nnx.BatchStat(jnp.zeros((num_features,)))
        self.sigma2 = nnx.BatchStat(jnp.ones((num_features,)))
        self.momentum = momentum
        self.eps = eps

    def __call__(self, x, train=True):
        rho = self.momentum
        if train:
            mu = x.mean(0)
            sigma2 = x.var(0)
            self.mu.value = rho * self.mu.value + (1 - rho) * mu
            self.sigma2.value = rho * self.sigma2.value + (1 - rho) * sigma2
        mu = self.mu.value
        sigma2 = self.sigma2.value
        z = (x - mu) / jnp.sqrt(sigma2 + self.eps)
        return self.g.value * z + self.b.value
