"""Fused batch norm: one reduction pass in the backward, shared by dgamma, dbeta and dx."""
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax


def _fwd_impl(x, gamma, beta, eps):
    x32 = x.astype(jnp.float32)
    mean = x32.mean(0)
    inv = lax.rsqrt(x32.var(0) + eps)
    y = (x32 - mean) * (inv * gamma) + beta
    return y.astype(x.dtype), mean, inv


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def fused_bn(x, gamma, beta, eps=1e-5):
    return _fwd_impl(x, gamma, beta, eps)[0]


def _fused_bn_fwd(x, gamma, beta, eps):
    y, mean, inv = _fwd_impl(x, gamma, beta, eps)
    return y, (x, gamma, mean, inv)


def _fused_bn_bwd(eps, res, dy):
    x, gamma, mean, inv = res
    m = x.shape[0]
    x_hat = (x.astype(jnp.float32) - mean) * inv
    dy32 = dy.astype(jnp.float32)
    dbeta, dgamma = jnp.sum(jnp.stack([dy32, dy32 * x_hat]), axis=1)
    dx = gamma * inv * (dy32 - (dbeta - x_hat * dgamma) / m)
    return dx.astype(x.dtype), dgamma, dbeta


fused_bn.defvjp(_fused_bn_fwd, _fused_bn_bwd)


class FusedBatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.9, eps: float = 1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.scale = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        scale, bias = self.scale[...], self.bias[...]
        if use_running_average:
            inv = lax.rsqrt(self.var[...] + self.eps)
            return (x - self.mean[...]) * (inv * scale) + bias
        xs = lax.stop_gradient(x).astype(jnp.float32)
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * xs.mean(0)
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * xs.var(0)
        return fused_bn(x, scale, bias, self.eps)
