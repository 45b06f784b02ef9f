"""Batch normalisation with a forward-mode rule.

We need cheap Jacobian-vector products for the influence-function experiments, so the
whitening step carries its own `custom_jvp`.  JAX transposes the rule for reverse mode.
"""
import functools

import jax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def whiten(x, eps):
    """Per-column whitening (diagonal only) of a (N, D) matrix."""
    c = x - x.mean(axis=0)
    return c / jnp.sqrt((c * c).mean(axis=0) + eps)


@whiten.defjvp
def _whiten_jvp(eps, primals, tangents):
    (x,), (x_dot,) = primals, tangents
    c = x - x.mean(axis=0)
    v = (c * c).mean(axis=0)
    inv = 1.0 / jnp.sqrt(v + eps)
    # push the tangent through mean, variance and the division, in that order
    c_dot = x_dot - x_dot.mean(axis=0)
    v_dot = (c * c_dot).mean(axis=0)
    inv_dot = -0.5 * inv ** 3 * v_dot
    return c * inv, c_dot * inv + c * inv_dot


def column_stats(x):
    mu = x.mean(axis=0)
    return mu, ((x - mu) ** 2).mean(axis=0)


class WhitenNorm(nnx.Module):
    """Batch norm whose training branch goes through `whiten`."""

    def __init__(self, n_features: int, momentum: float = 0.9, epsilon: float = 1e-5, rngs=None):
        self.n_features = n_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(n_features))
        self.beta = nnx.Param(jnp.zeros(n_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(n_features))
        self.running_var = nnx.BatchStat(jnp.ones(n_features))

    def __call__(self, x, *, training: bool):
        rm, rv = self.running_mean, self.running_var
        if training:
            mu, v = column_stats(x)
            rm[...] = self.momentum * rm[...] + (1 - self.momentum) * mu
            rv[...] = self.momentum * rv[...] + (1 - self.momentum) * v
            z = whiten(x, self.epsilon)
        else:
            z = (x - rm[...]) / jnp.sqrt(rv[...] + self.epsilon)
        return self.gamma[...] * z + self.beta[...]
