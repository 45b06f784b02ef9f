"""Batch normalization with the closed-form gradient of Ioffe & Szegedy (2015)."""
import functools

import jax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def bn_train(eps, x, gamma, beta):
    mean = jnp.mean(x, axis=0, keepdims=True)
    var = jnp.var(x, axis=0, keepdims=True)
    return gamma * (x - mean) / jnp.sqrt(var + eps) + beta


def bn_train_fwd(eps, x, gamma, beta):
    mean = jnp.mean(x, axis=0, keepdims=True)
    var = jnp.var(x, axis=0, keepdims=True)
    inv_std = 1.0 / jnp.sqrt(var + eps)
    x_hat = (x - mean) * inv_std
    return gamma * x_hat + beta, (x_hat, inv_std, gamma)


def bn_train_bwd(eps, saved, dy):
    x_hat, inv_std, gamma = saved
    n = dy.shape[0]
    dx_hat = dy * gamma
    dx = (inv_std / n) * (n * dx_hat - jnp.sum(dx_hat, axis=0))
    dgamma = jnp.sum(dy * x_hat, axis=0)
    dbeta = jnp.sum(dy, axis=0)
    return dx, dgamma, dbeta


bn_train.defvjp(bn_train_fwd, bn_train_bwd)


class BatchNormCF(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.eps = eps
        self.momentum = momentum
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.pop_mean = nnx.Variable(jnp.zeros((num_features,)))
        self.pop_var = nnx.Variable(jnp.ones((num_features,)))

    def _update_population(self, x):
        rho = self.momentum
        mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
        self.pop_mean.value = rho * self.pop_mean.value + (1 - rho) * mean
        self.pop_var.value = rho * self.pop_var.value + (1 - rho) * var

    def _inference(self, x):
        scale = self.gamma.value / jnp.sqrt(self.pop_var.value + self.eps)
        return scale * x + (self.beta.value - scale * self.pop_mean.value)

    def __call__(self, x, training=True):
        if not training:
            return self._inference(x)
        self._update_population(x)
        return bn_train(self.eps, x, self.gamma.value, self.beta.value)
