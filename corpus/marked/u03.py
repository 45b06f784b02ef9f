"""Fused batch norm: one forward "kernel", one backward "kernel".

Autodiff through mean/variance keeps several (N, D) intermediates alive.  Here only
x_hat is stored, and the backward pass is done in closed form from it.
"""
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


def _moments(x):
    mu = jnp.mean(x, axis=0)
    return mu, jnp.mean(jnp.square(x - mu), axis=0)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def fused_bn(x, gamma, beta, eps):
    mu, var = _moments(x)
    return gamma * (x - mu) * jax.lax.rsqrt(var + eps) + beta


def _fused_bn_fwd(x, gamma, beta, eps):
    mu, var = _moments(x)
    rstd = jax.lax.rsqrt(var + eps)
    x_hat = (x - mu) * rstd
    return gamma * x_hat + beta, (x_hat, rstd, gamma)


def _fused_bn_bwd(eps, residuals, dy):
    x_hat, rstd, gamma = residuals
    wdy = dy * gamma
    c1 = jnp.mean(wdy, axis=0)
    c2 = jnp.mean(wdy * x_hat, axis=0)
    dx = (wdy - (c1 + c2)) * rstd
    dgamma = jnp.sum(dy * x_hat, axis=0)
    dbeta = jnp.sum(dy, axis=0)
    return dx, dgamma, dbeta


fused_bn.defvjp(_fused_bn_fwd, _fused_bn_bwd)


class FusedBatchNorm(nnx.Module):
    """Memory-lean BatchNorm for (N, D) activations."""

    def __init__(self, features: int, *, momentum: float = 0.9, eps: float = 1e-5, rngs=None):
        self.momentum, self.eps = momentum, eps
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, train: bool):
        if not train:
            x_hat = (x - self.mean[...]) * jax.lax.rsqrt(self.var[...] + self.eps)
            return self.gamma[...] * x_hat + self.beta[...]
        mu, var = jax.lax.stop_gradient(_moments(x))
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mu
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return fused_bn(x, self.gamma[...], self.beta[...], self.eps)
