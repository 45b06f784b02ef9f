from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Residuals(NamedTuple):
    x_hat: jax.Array
    inv_std: jax.Array
    gamma: jax.Array


@jax.custom_vjp
def apply_bn(x, gamma, beta, mean, var, eps):
    return gamma * (x - mean) / jnp.sqrt(var + eps) + beta


def apply_bn_fwd(x, gamma, beta, mean, var, eps):
    inv_std = 1.0 / jnp.sqrt(var + eps)
    x_hat = (x - mean) * inv_std
    return gamma * x_hat + beta, Residuals(x_hat, inv_std, gamma)


def apply_bn_bwd(res: Residuals, dy):
    """Total derivative with respect to x; mean and var are functions of x."""
    n = dy.shape[0]
    dgamma = (dy * res.x_hat).sum(axis=0)
    dbeta = dy.sum(axis=0)
    dx_hat = dy * res.gamma
    dx = res.inv_std / n * (
        n * dx_hat
        - res.x_hat * (dx_hat * res.x_hat).sum(axis=0)
    )
    nothing = jnp.zeros_like(res.inv_std)
    return dx, dgamma, dbeta, nothing, nothing, jnp.zeros(())


apply_bn.defvjp(apply_bn_fwd, apply_bn_bwd)


class HandGradBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def _step(self, stat, new):
        stat.value = self.momentum * stat.value + (1.0 - self.momentum) * new

    def _train(self, x):
        mean = x.mean(axis=0)
        var = ((x - mean) ** 2).mean(axis=0)
        mean, var = jax.lax.stop_gradient((mean, var))
        self._step(self.mean, mean)
        self._step(self.var, var)
        return apply_bn(x, self.gamma.value, self.beta.value, mean, var, self.eps)

    def __call__(self, x, training: bool):
        if training:
            return self._train(x)
        x_hat = (x - self.mean.value) / jnp.sqrt(self.var.value + self.eps)
        return self.gamma.value * x_hat + self.beta.value
