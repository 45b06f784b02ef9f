"""Matrix-unit batch norm (reference path of the TPU kernel).

Column sums are computed as dot products with accumulation in float32.  The
backward pass is written out so that it maps to the same two contractions.
"""
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

TILE_DTYPE = jnp.bfloat16
ACC_DTYPE = jnp.float32


def _column_dot(a, b):
    """sum_n a[n, d] * b[n, d], accumulated in ACC_DTYPE."""
    dims = (((0,), (0,)), ((1,), (1,)))  # contract rows, batch over columns
    return lax.dot_general(a, b, dims, precision=lax.Precision.HIGHEST,
                           preferred_element_type=ACC_DTYPE)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def bn_tile(eps, x, gamma, beta):
    return _fwd(eps, x, gamma, beta)[0]


def _fwd(eps, x, gamma, beta):
    n = x.shape[0]
    mu = _column_dot(x, jnp.ones_like(x)) / n
    xc = (x - mu).astype(TILE_DTYPE)
    var = _column_dot(xc, xc) / n
    inv = lax.rsqrt(var + eps)
    x_hat = xc * inv
    return (gamma * x_hat + beta, mu, var), (x_hat, inv, gamma)


def _bwd(eps, res, cts):
    dy, _, _ = cts  # statistics are detached by the caller
    x_hat, inv, gamma = res
    n = dy.shape[0]
    dgamma = _column_dot(dy, x_hat)
    dbeta = _column_dot(dy, jnp.ones_like(dy))
    dx = gamma * inv * (dy - dbeta / n - x_hat * (dgamma / n))
    return dx, dgamma, dbeta


bn_tile.defvjp(_fwd, _bwd)


class TileBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.momentum, self.epsilon = momentum, epsilon
        self.scale = nnx.Param(jnp.ones(num_features, ACC_DTYPE))
        self.bias = nnx.Param(jnp.zeros(num_features, ACC_DTYPE))
        self.mean = nnx.BatchStat(jnp.zeros(num_features, ACC_DTYPE))
        self.var = nnx.BatchStat(jnp.ones(num_features, ACC_DTYPE))

    def __call__(self, x, use_running_average=False):
        scale, bias = self.scale[...], self.bias[...]
        if use_running_average:
            return (x - self.mean[...]) * lax.rsqrt(self.var[...] + self.epsilon) * scale + bias
        y, mu, var = bn_tile(self.epsilon, x, scale, bias)
        mu, var = lax.stop_gradient((mu, var))
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mu
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return y
