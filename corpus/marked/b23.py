"""Batch normalization (Ioffe & Szegedy, 2015), algorithm 1 and 2, line by line."""
import jax
import jax.numpy as jnp
from flax import nnx


class IoffeSzegedy(nnx.Module):
    def __init__(self, num_features, *, alpha=0.9, eps=1e-3, rngs=None):
        self.alpha = alpha  # weight of the past
        self.eps = eps
        self.phase = "train"
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.E_x = nnx.BatchStat(jnp.zeros((num_features,)))
        self.Var_x = nnx.BatchStat(jnp.ones((num_features,)))

    def mini_batch(self, x):
        x = x.reshape(-1, x.shape[-1])
        m = x.shape[0]
        mu_B = jnp.sum(x, axis=0) / m
        sigma2_B = jnp.sum((x - mu_B) ** 2, axis=0) / m
        return mu_B, sigma2_B + self.eps

    def population(self):
        return self.E_x[...], self.Var_x[...] + self.eps

    def remember(self, mu, sigma2):
        self.E_x[...] = self.alpha * self.E_x[...] + (1 - self.alpha) * mu
        self.Var_x[...] = self.alpha * self.Var_x[...] + (1 - self.alpha) * sigma2

    def __call__(self, x):
        if self.phase == "train":
            mu, sigma2 = self.mini_batch(x)
            self.remember(mu, sigma2)
        elif self.phase == "test":
            mu, sigma2 = self.population()
        else:
            raise ValueError(self.phase)
        x_hat = (x - mu) * jax.lax.rsqrt(sigma2)
        return self.gamma[...] * x_hat + self.beta[...]
