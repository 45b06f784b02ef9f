"""Batch norm with a fused backward pass (one read of x, one read of dy)."""
import functools

import jax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def bn_train(x, w, b, eps):
    return _fwd(x, w, b, eps)[0]


def _fwd(x, w, b, eps):
    mu = jnp.mean(x, axis=0)
    var = jnp.mean(jnp.square(x - mu), axis=0)
    rstd = jax.lax.rsqrt(var + eps)
    y = (x - mu) * rstd * w + b
    return (y, mu, var), (x, w, mu, rstd)


def _bwd(eps, res, cts):
    dy, _, _ = cts
    x, w, mu, rstd = res
    n = x.shape[0]
    xhat = (x - mu) * rstd
    wdy = dy * w
    c1 = jnp.sum(wdy * xhat, axis=0)
    c2 = jnp.sum(wdy, axis=0) / n
    dx = (wdy - (xhat * c1 + c2)) * rstd
    dw = jnp.sum(dy * xhat, axis=0)
    db = jnp.sum(dy, axis=0)
    return dx, dw, db


bn_train.defvjp(_fwd, _bwd)


class FusedBatchNorm(nnx.Module):
    """`momentum` keeps that share of the running value at every update."""

    def __init__(self, num_features, *, eps=1e-5, momentum=0.9, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, train):
        w, b = self.weight[...], self.bias[...]
        if not train:
            rstd = jax.lax.rsqrt(self.var[...] + self.eps)
            return (x - self.mean[...]) * rstd * w + b
        y, mu, var = bn_train(x, w, b, self.eps)
        mu, var = jax.lax.stop_gradient((mu, var))
        self.mean[...] = self.momentum * self.mean[...] + (1.0 - self.momentum) * mu
        self.var[...] = self.momentum * self.var[...] + (1.0 - self.momentum) * var
        return y
