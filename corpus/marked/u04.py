"""Batch norm, backpropagated by hand.

Code for the blog post "Walking the batch-norm graph, node by node".  The forward pass
is nine little steps, the backward pass undoes them in reverse order.
"""
import jax
import jax.numpy as jnp
from flax import nnx


def forward(x, gamma, beta, eps):
    mu = jnp.mean(x, axis=0)                    # step 1
    xmu = x - mu                                # step 2
    sq = xmu ** 2                               # step 3
    var = jnp.mean(sq, axis=0)                  # step 4
    sqrtvar = jnp.sqrt(var + eps)               # step 5
    ivar = 1.0 / sqrtvar                        # step 6
    xhat = xmu * ivar                           # step 7
    out = gamma * xhat + beta                   # steps 8 and 9
    return out, (xhat, gamma, xmu, ivar, sqrtvar)


@jax.custom_vjp
def batchnorm(x, gamma, beta, eps):
    return forward(x, gamma, beta, eps)[0]


def backward(cache, dout):
    xhat, gamma, xmu, ivar, sqrtvar = cache
    n = dout.shape[0]
    dbeta = jnp.sum(dout, axis=0)               # step 9
    dgamma = jnp.sum(dout * xmu, axis=0)        # step 8
    dxhat = dout * gamma
    divar = jnp.sum(dxhat * xmu, axis=0)        # step 7
    dxmu1 = dxhat * ivar
    dsqrtvar = -divar / sqrtvar ** 2            # step 6
    dvar = 0.5 * dsqrtvar / sqrtvar             # step 5
    dsq = jnp.ones_like(dout) * dvar / n        # step 4
    dxmu2 = 2 * xmu * dsq                       # step 3
    dx1 = dxmu1 + dxmu2                         # step 2
    dx2 = -jnp.sum(dx1, axis=0) / n             # step 1
    return dx1 + dx2, dgamma, dbeta, None


batchnorm.defvjp(forward, backward)


class HandmadeBatchNorm(nnx.Module):
    def __init__(self, dim, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(dim))
        self.beta = nnx.Param(jnp.zeros(dim))
        self.running_mean = nnx.BatchStat(jnp.zeros(dim))
        self.running_var = nnx.BatchStat(jnp.ones(dim))

    def __call__(self, x, training=True):
        gamma, beta = self.gamma.get_value(), self.beta.get_value()
        r_mean, r_var = self.running_mean.get_value(), self.running_var.get_value()
        if training:
            m = self.momentum
            self.running_mean.set_value(m * r_mean + (1 - m) * jnp.mean(x, axis=0))
            self.running_var.set_value(m * r_var + (1 - m) * jnp.var(x, axis=0))
            return batchnorm(x, gamma, beta, self.eps)
        return gamma * (x - r_mean) / jnp.sqrt(r_var + self.eps) + beta
