from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Residuals(NamedTuple):
    centered: jax.Array
    inv_std: jax.Array
    gamma: jax.Array


def _forward(x, gamma, beta, eps):
    mean = jnp.mean(x, axis=0)
    centered = x - mean
    var = jnp.mean(centered**2, axis=0)
    inv_std = 1.0 / jnp.sqrt(var + eps)
    y = gamma * centered * inv_std + beta
    return (y, mean, var), Residuals(centered, inv_std, gamma)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def batchnorm(x, gamma, beta, eps):
    return _forward(x, gamma, beta, eps)[0]


def _backward(eps, res, cotangents):
    dout = cotangents[0]
    n = dout.shape[0]

    dbeta = dout.sum(axis=0)
    dgamma = (dout * res.centered * res.inv_std).sum(axis=0)

    dxhat = dout * res.gamma
    dvar = -0.5 * (dxhat * res.centered).sum(axis=0) * res.inv_std**2
    dmean = -(dxhat * res.inv_std).sum(axis=0)
    dx = dxhat * res.inv_std + 2.0 * dvar * res.centered / n + dmean / n
    return dx, dgamma, dbeta


batchnorm.defvjp(_forward, _backward)


class BatchNormLayer(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training: bool):
        if training:
            y, mean, var = batchnorm(x, self.gamma[...], self.beta[...], self.eps)
            mean, var = jax.lax.stop_gradient((mean, var))
            self.running_mean[...] = self.momentum * self.running_mean[...] + (1 - self.momentum) * mean
            self.running_var[...] = self.momentum * self.running_var[...] + (1 - self.momentum) * var
            return y
        inv_std = 1.0 / jnp.sqrt(self.running_var[...] + self.eps)
        return self.gamma[...] * (x - self.running_mean[...]) * inv_std + self.beta[...]
