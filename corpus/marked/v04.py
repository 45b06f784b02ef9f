# Batch norm with an explicit backward pass. The forward saves the normalised
# input and the inverse standard deviation, so the backward needs no re-compute.
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def bn_train(x, gamma, beta, eps):
    return _bn_fwd(x, gamma, beta, eps)[0]


def _bn_fwd(x, gamma, beta, eps):
    mean = jnp.mean(x, axis=0)
    xc = x - mean
    var = jnp.mean(xc * xc, axis=0)
    rstd = jax.lax.rsqrt(var + eps)
    x_hat = xc * rstd
    y = gamma * x_hat + beta
    return (y, mean, rstd), (x_hat, rstd, gamma)


def _bn_bwd(eps, saved, cotangents):
    x_hat, rstd, gamma = saved
    dy = cotangents[0]  # the statistics are only stored, nothing flows back from them
    dgamma = jnp.sum(dy * x_hat, axis=0)
    dbeta = jnp.sum(dy, axis=0)
    g = dy * gamma
    dx = rstd * (g - jnp.mean(g, axis=0))
    return dx, dgamma, dbeta


bn_train.defvjp(_bn_fwd, _bn_bwd)


class FusedBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum, self.eps = momentum, eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, train: bool):
        gamma, beta = self.gamma[...], self.beta[...]
        if not train:
            rstd = jax.lax.rsqrt(self.running_var[...] + self.eps)
            return gamma * (x - self.running_mean[...]) * rstd + beta
        y, *stats = bn_train(x, gamma, beta, self.eps)
        for ref, new in zip((self.running_mean, self.running_var), stats):
            ref[...] = self.momentum * ref[...] + (1.0 - self.momentum) * new
        return y
