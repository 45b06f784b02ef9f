from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Residuals(NamedTuple):
    centered: jax.Array
    inv_std: jax.Array
    gamma: jax.Array


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def bn_train(eps, x, gamma, beta):
    y, _ = _bn_train_fwd(eps, x, gamma, beta)
    return y


def _bn_train_fwd(eps, x, gamma, beta):
    mean = jnp.mean(x, axis=0, keepdims=True)
    centered = x - mean
    var = jnp.mean(centered * centered, axis=0, keepdims=True)
    inv_std = 1.0 / jnp.sqrt(var + eps)
    y = centered * inv_std * gamma + beta
    return (y, mean[0], var[0]), Residuals(centered, inv_std, gamma)


def _bn_train_bwd(eps, res, grads):
    g = grads[0]
    n = g.shape[0]
    x_hat = res.centered * res.inv_std

    # step 1: affine
    d_gamma = jnp.sum(g * x_hat, axis=0)
    d_beta = jnp.sum(g, axis=0)
    d_xhat = g

    # step 2: variance
    d_var = jnp.sum(d_xhat * res.centered, axis=0) * -0.5 * res.inv_std**3

    # step 3: mean
    d_mean = -jnp.sum(d_xhat * res.inv_std, axis=0) - 2.0 * d_var * jnp.mean(res.centered, axis=0)

    # step 4: input
    d_x = d_xhat * res.inv_std + d_var * 2.0 * res.centered / n + d_mean / n
    return d_x, d_gamma, d_beta


bn_train.defvjp(_bn_train_fwd, _bn_train_bwd)


class StagedBatchNorm(nnx.Module):
    """BatchNorm with the backward pass spelled out stage by stage."""

    def __init__(self, num_features: int, *, momentum: float = 0.9, eps: float = 1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, training: bool = True):
        gamma, beta = self.gamma[...], self.beta[...]
        if training:
            y, mean, var = bn_train(self.eps, x, gamma, beta)
            m = self.momentum
            self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
            self.running_var[...] = m * self.running_var[...] + (1 - m) * var
            return y
        x_hat = (x - self.running_mean[...]) / jnp.sqrt(self.running_var[...] + self.eps)
        return gamma * x_hat + beta
