"""BatchNorm with a hand written backward pass.

The forward keeps only the centred activations and 1/std; everything that the
backward needs can be had from those two.
"""
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


def _batch_moments(x2d):
    mu = jnp.mean(x2d, axis=0)
    return mu, jnp.mean(lax.square(x2d - mu), axis=0)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def bn_train(x2d, gamma, beta, eps):
    y, _ = _bn_fwd(x2d, gamma, beta, eps)
    return y


def _bn_fwd(x2d, gamma, beta, eps):
    mu, var = _batch_moments(x2d)
    rstd = lax.rsqrt(var + eps)
    xc = x2d - mu
    y = xc * (rstd * gamma) + beta
    return y, (xc, rstd, gamma)


def _bn_bwd(eps, res, dy):
    xc, rstd, gamma = res
    n = xc.shape[0]
    dbeta = jnp.sum(dy, axis=0)
    proj = jnp.sum(dy * xc, axis=0)
    dgamma = proj * rstd
    # dx = gamma/std * (dy - <dy> - xhat <dy xhat>)
    dx = (gamma * rstd) * (dy - dbeta / n - xc * (rstd * proj / n))
    return dx, dgamma, dbeta


bn_train.defvjp(_bn_fwd, _bn_bwd)


class FusedBatchNorm(nnx.Module):
    def __init__(self, features, *, decay=0.99, eps=1e-5, rngs=None):
        self.features = features
        self.decay = decay
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(features))
        self.beta = nnx.Param(jnp.zeros(features))
        self.moving_mean = nnx.BatchStat(jnp.zeros(features))
        self.moving_var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, *, training: bool):
        x2d = x.reshape(-1, self.features)
        if not training:
            rstd = lax.rsqrt(self.moving_var[...] + self.eps)
            y = (x2d - self.moving_mean[...]) * (rstd * self.gamma[...]) + self.beta[...]
            return y.reshape(x.shape)

        y = bn_train(x2d, self.gamma[...], self.beta[...], self.eps)
        # bookkeeping is not differentiated
        mu, var = _batch_moments(lax.stop_gradient(x2d))
        d = self.decay
        self.moving_mean[...] = d * self.moving_mean[...] + (1.0 - d) * mu
        self.moving_var[...] = d * self.moving_var[...] + (1.0 - d) * var
        return y.reshape(x.shape)
