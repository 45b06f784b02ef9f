from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def fused_bn(x, gamma, beta, eps):
    mu = jnp.mean(x, axis=0)
    var = jnp.var(x, axis=0)
    return gamma * (x - mu) / jnp.sqrt(var + eps) + beta


def _fused_bn_fwd(x, gamma, beta, eps):
    mu = jnp.mean(x, axis=0)
    var = jnp.var(x, axis=0)
    inv = 1.0 / jnp.sqrt(var + eps)
    xhat = (x - mu) * inv
    return gamma * xhat + beta, (xhat, inv, gamma)


def _fused_bn_bwd(eps, res, dy):
    xhat, inv, gamma = res
    dgamma = jnp.sum(dy * xhat, axis=0)
    dbeta = jnp.sum(dy, axis=0)
    dxhat = dy * gamma
    proj = jnp.mean(dxhat * xhat, axis=0)
    dx = inv * (dxhat - xhat * proj)
    return dx, dgamma, dbeta


fused_bn.defvjp(_fused_bn_fwd, _fused_bn_bwd)


class FusedBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def _update(self, x):
        x = jax.lax.stop_gradient(x)
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * x.mean(axis=0)
        self.running_var[...] = m * self.running_var[...] + (1 - m) * x.var(axis=0)

    def __call__(self, x, training=True):
        if training:
            self._update(x)
            return fused_bn(x, self.gamma[...], self.beta[...], self.eps)
        inv = jax.lax.rsqrt(self.running_var[...] + self.eps)
        return self.gamma[...] * (x - self.running_mean[...]) * inv + self.beta[...]
