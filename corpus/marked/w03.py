"""Batch norm whose training step runs through one fused op.

Autodiff of the naive formula keeps several (N, D) temporaries alive.  Here
only the normalised activations and the per-feature inverse deviation are
saved for the backward pass.
"""
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def fused_bn(x, gamma, beta, eps):
    y, _ = _fused_bn_fwd(x, gamma, beta, eps)
    return y


def _fused_bn_fwd(x, gamma, beta, eps):
    mu = jnp.mean(x, axis=0)
    xc = x - mu
    var = jnp.mean(xc * xc, axis=0)
    inv_std = jax.lax.rsqrt(var + eps)
    x_hat = xc * inv_std
    return gamma * x_hat + beta, (x_hat, inv_std, gamma)


def _fused_bn_bwd(eps, saved, dy):
    x_hat, inv_std, gamma = saved
    dgamma = jnp.sum(dy * x_hat, axis=0)
    dbeta = jnp.sum(dy, axis=0)
    # chain rule through the whitening; the mean couples all rows
    dx_hat = dy * gamma
    dx = inv_std * (dx_hat - jnp.mean(dx_hat, axis=0))
    return dx, dgamma, dbeta


fused_bn.defvjp(_fused_bn_fwd, _fused_bn_bwd)


class FusedBatchNorm(nnx.Module):
    """BatchNorm over axis 0 of an (N, D) input, memory-lean in training."""

    def __init__(self, dim, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum, self.eps = momentum, eps
        self.gamma = nnx.Param(jnp.ones((dim,)))
        self.beta = nnx.Param(jnp.zeros((dim,)))
        self.moving_mean = nnx.BatchStat(jnp.zeros((dim,)))
        self.moving_var = nnx.BatchStat(jnp.ones((dim,)))

    def __call__(self, x, train: bool):
        gamma, beta = self.gamma[...], self.beta[...]
        if not train:
            inv = jax.lax.rsqrt(self.moving_var[...] + self.eps)
            return (x - self.moving_mean[...]) * inv * gamma + beta

        frozen = jax.lax.stop_gradient(x)  # bookkeeping only
        m = self.momentum
        self.moving_mean[...] = m * self.moving_mean[...] + (1 - m) * frozen.mean(0)
        self.moving_var[...] = m * self.moving_var[...] + (1 - m) * frozen.var(0)
        return fused_bn(x, gamma, beta, self.eps)
