import jax
import jax.numpy as jnp
from flax import nnx


def column_moments(x):
    mu = x.mean(axis=0)
    d = x - mu
    return mu, (d * d).mean(axis=0)


def whiten(x, mu, var, eps):
    inv = 1.0 / (jnp.sqrt(var) + eps)
    return (x - mu) * inv


def blend(old, new, keep):
    return keep * old + (1 - keep) * jax.lax.stop_gradient(new)


class BN(nnx.Module):
    def __init__(self, d, decay=0.9, epsilon=1e-5, *, rngs=None):
        self.decay = decay
        self.epsilon = epsilon
        self.g = nnx.Param(jnp.ones(d))
        self.b = nnx.Param(jnp.zeros(d))
        self.mu = nnx.Variable(jnp.zeros(d))
        self.sigma2 = nnx.Variable(jnp.ones(d))

    def __call__(self, x, train):
        if train:
            mu, var = column_moments(x)
            self.mu[...] = blend(self.mu[...], mu, self.decay)
            self.sigma2[...] = blend(self.sigma2[...], var, self.decay)
        else:
            mu, var = self.mu[...], self.sigma2[...]
        return self.g * whiten(x, mu, var, self.epsilon) + self.b
