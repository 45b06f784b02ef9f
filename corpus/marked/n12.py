"""Batch norm with an explicit backward pass, step by step through var and mean."""
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def bn_train(x, gamma, beta, eps):
    y, _ = bn_train_fwd(x, gamma, beta, eps)
    return y


def bn_train_fwd(x, gamma, beta, eps):
    mean = jnp.mean(x, axis=0)
    centred = x - mean
    var = jnp.mean(centred ** 2, axis=0)
    inv_std = 1.0 / jnp.sqrt(var + eps)
    y = gamma * centred * inv_std + beta
    return y, (centred, inv_std, gamma)


def bn_train_bwd(eps, res, dy):
    centred, inv_std, gamma = res
    n = centred.shape[0]
    dgamma = jnp.sum(dy * centred * inv_std, axis=0)
    dbeta = jnp.sum(dy, axis=0)
    dx_hat = dy * gamma
    dvar = jnp.sum(dx_hat * centred, axis=0) * -0.5 * inv_std ** 2
    dmean = -jnp.sum(dx_hat, axis=0) * inv_std
    dx = dx_hat * inv_std + dvar * 2.0 * centred / n + dmean / n
    return dx, dgamma, dbeta


bn_train.defvjp(bn_train_fwd, bn_train_bwd)


class ManualBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _track(self, x):
        x = jax.lax.stop_gradient(x)
        mean = x.mean(axis=0)
        var = jnp.square(x - mean).mean(axis=0)
        m = self.momentum
        self.mean.value = m * self.mean.value + (1.0 - m) * mean
        self.var.value = m * self.var.value + (1.0 - m) * var

    def __call__(self, x, use_running_average: bool):
        if not use_running_average:
            self._track(x)
            return bn_train(x, self.gamma.value, self.beta.value, self.eps)
        x_hat = (x - self.mean.value) / jnp.sqrt(self.var.value + self.eps)
        return self.gamma.value * x_hat + self.beta.value
