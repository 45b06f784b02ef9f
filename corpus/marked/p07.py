from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def bn_train(x, gamma, beta, eps):
    mu = jnp.mean(x, axis=0)
    var = jnp.var(x, axis=0)
    return gamma * (x - mu) / jnp.sqrt(var + eps) + beta


def bn_train_fwd(x, gamma, beta, eps):
    mu = jnp.mean(x, axis=0)
    var = jnp.var(x, axis=0)
    inv_std = 1.0 / jnp.sqrt(var + eps)
    x_hat = (x - mu) * inv_std
    return gamma * x_hat + beta, (x_hat, inv_std, gamma)


def bn_train_bwd(eps, residuals, g):
    x_hat, inv_std, gamma = residuals
    dgamma = jnp.sum(g * x_hat, axis=0)
    dbeta = jnp.sum(g, axis=0)
    dx_hat = g * gamma
    dx = inv_std * (
        dx_hat
        - jnp.mean(dx_hat, axis=0)
        - x_hat * jnp.mean(dx_hat, axis=0)
    )
    return dx, dgamma, dbeta


bn_train.defvjp(bn_train_fwd, bn_train_bwd)


class FusedBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            inv = jax.lax.rsqrt(self.running_var.value + self.eps)
            return (x - self.running_mean.value) * inv * self.gamma.value + self.beta.value
        batch_mean = jnp.mean(x, axis=0)
        batch_var = jnp.var(x, axis=0, ddof=1)
        self.running_mean.value = self.momentum * self.running_mean.value + (1 - self.momentum) * batch_mean
        self.running_var.value = self.momentum * self.running_var.value + (1 - self.momentum) * batch_var
        return bn_train(x, self.gamma.value, self.beta.value, self.eps)
