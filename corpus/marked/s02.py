# Assignment 2, Q3: batch normalization with a hand-written backward pass.
# The backward follows the computational graph one node at a time.
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def batchnorm(x, gamma, beta, eps):
    out, _ = batchnorm_forward(x, gamma, beta, eps)
    return out


def batchnorm_forward(x, gamma, beta, eps):
    N, D = x.shape
    # step 1: mean
    mu = 1.0 / N * jnp.sum(x, axis=0)
    # step 2: subtract it
    xmu = x - mu
    # step 3: squares
    sq = xmu ** 2
    # step 4: variance
    var = 1.0 / N * jnp.sum(sq, axis=0)
    # step 5: add eps, then sqrt
    sqrtvar = jnp.sqrt(var + eps)
    # step 6: invert
    ivar = 1.0 / sqrtvar
    # step 7: normalize
    xhat = xmu * ivar
    # step 8 and 9: scale and shift
    out = gamma * xhat + beta
    return out, (xhat, gamma, xmu, ivar, sqrtvar, var)


def batchnorm_backward(eps, cache, dout):
    xhat, gamma, xmu, ivar, sqrtvar, var = cache
    N, D = dout.shape

    # step 9
    dbeta = jnp.sum(dout, axis=0)
    dgammax = dout
    # step 8
    dgamma = jnp.sum(dgammax * xhat, axis=0)
    dxhat = dgammax * gamma
    # step 7
    divar = jnp.sum(dxhat * xmu, axis=0)
    dxmu1 = dxhat * ivar
    # step 6
    dsqrtvar = -1.0 / sqrtvar * divar
    # step 5
    dvar = 0.5 * 1.0 / jnp.sqrt(var + eps) * dsqrtvar
    # step 4
    dsq = 1.0 / N * jnp.ones((N, D)) * dvar
    # step 3
    dxmu2 = 2 * xmu * dsq
    # step 2
    dx1 = dxmu1 + dxmu2
    dmu = -1 * jnp.sum(dxmu1 + dxmu2, axis=0)
    # step 1
    dx2 = 1.0 / N * jnp.ones((N, D)) * dmu
    # step 0
    dx = dx1 + dx2
    return dx, dgamma, dbeta


batchnorm.defvjp(batchnorm_forward, batchnorm_backward)


class BatchNormLayer(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, training=True):
        gamma, beta = self.gamma.value, self.beta.value
        if training:
            m = self.momentum
            self.running_mean.value = m * self.running_mean.value + (1 - m) * x.mean(axis=0)
            self.running_var.value = m * self.running_var.value + (1 - m) * x.var(axis=0)
            return batchnorm(x, gamma, beta, self.eps)
        x_norm = (x - self.running_mean.value) / jnp.sqrt(self.running_var.value + self.eps)
        return gamma * x_norm + beta
