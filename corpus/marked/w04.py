"""Rematerialising batch norm: x_hat is recomputed in the backward pass.

Residuals are the input itself (already alive as the previous layer's
output) plus three vectors of length D.
"""
import functools

import jax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _bn_train(eps, x, gamma, beta):
    return _bn_train_fwd(eps, x, gamma, beta)[0]


def _bn_train_fwd(eps, x, gamma, beta):
    mu = x.mean(axis=0)
    var = jnp.square(x - mu).mean(axis=0)
    inv = 1.0 / jnp.sqrt(var + eps)
    y = (x - mu) * (inv * gamma) + beta
    return (y, mu, var), (x, gamma, mu, inv)


def _bn_train_bwd(eps, res, cotangents):
    dy, dmu_out, dvar_out = cotangents
    x, mu, gamma, inv = res
    n = x.shape[0]
    xc = x - mu
    x_hat = xc * inv

    dbeta = dy.sum(axis=0)
    dgamma = (dy * x_hat).sum(axis=0)
    dx = (gamma * inv / n) * (n * dy - dbeta - x_hat * dgamma)
    # the statistics are outputs as well
    dx = dx + dmu_out / n + dvar_out * 2.0 * xc / n
    return dx, dgamma, dbeta


_bn_train.defvjp(_bn_train_fwd, _bn_train_bwd)


class RematBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.95,
                 epsilon: float = 1e-5, *, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, is_training: bool = True):
        if is_training:
            y, mu, var = _bn_train(self.epsilon, x, self.gamma[...], self.beta[...])
            d = self.momentum
            self.running_mean[...] = d * self.running_mean[...] + (1 - d) * mu
            self.running_var[...] = d * self.running_var[...] + (1 - d) * var
            return y
        inv = 1.0 / jnp.sqrt(self.running_var[...] + self.epsilon)
        return (x - self.running_mean[...]) * (inv * self.gamma[...]) + self.beta[...]
