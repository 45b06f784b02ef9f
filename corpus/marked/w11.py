"""Einsum batch norm with a hand-written gradient.

Every reduction is an einsum so that the partitioner sees plain contractions
over the batch index ``n``; ``d`` is the feature index throughout.
"""
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


def _stats(x):
    n = x.shape[0]
    mean = jnp.einsum("nd->d", x) / n
    centred = x - mean
    var = jnp.einsum("nd,nd->d", centred, centred) / n
    return mean, centred, var


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def bn_core(x, scale, bias, eps):
    return bn_core_fwd(x, scale, bias, eps)[0]


def bn_core_fwd(x, scale, bias, eps):
    mean, centred, var = _stats(x)
    inv = jax.lax.rsqrt(var + eps)
    xhat = jnp.einsum("nd,d->nd", centred, inv)
    y = jnp.einsum("nd,d->nd", xhat, scale) + bias
    return (y, mean, var), (xhat, inv, scale)


def bn_core_bwd(eps, residuals, grads):
    xhat, inv, scale = residuals
    dy = grads[0]  # mean and var only feed the moving averages
    n = xhat.shape[-1]
    dbias = jnp.einsum("nd->d", dy)
    dscale = jnp.einsum("nd,nd->d", dy, xhat)
    proj = jnp.einsum("nd,d->nd", xhat, dscale)
    dx = (scale * inv) * (dy - (dbias + proj) / n)
    return dx, dscale, dbias


bn_core.defvjp(bn_core_fwd, bn_core_bwd)


class EinsumBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, epsilon=1e-5, rngs=None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, train=True):
        if train:
            y, mean, var = bn_core(x, self.scale[...], self.bias[...], self.epsilon)
            mean, var = jax.lax.stop_gradient((mean, var))
            self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
            self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
            return y
        inv = jax.lax.rsqrt(self.var[...] + self.epsilon)
        return (x - self.mean[...]) * inv * self.scale[...] + self.bias[...]
