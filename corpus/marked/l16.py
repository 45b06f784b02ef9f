import functools

import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


def _stats(x):
    mean = jnp.mean(x, axis=0)
    return mean, jnp.mean(lax.square(x), axis=0) - lax.square(mean)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def batch_norm(eps, x, mean, var, gamma, beta):
    return (x - mean) * lax.rsqrt(var + eps) * gamma + beta


def _fwd(eps, x, mean, var, gamma, beta):
    return batch_norm(eps, x, mean, var, gamma, beta), (x, mean, var, gamma)


def _bwd(eps, residuals, g):
    x, mean, var, gamma = residuals
    r = lax.rsqrt(var + eps)
    xhat = (x - mean) * r
    gx = g
    # x reaches the output directly and through mean and var; the last two are
    # folded in here and get zero cotangents of their own.
    proj = jnp.mean(gx, axis=0) + xhat * jnp.mean(gx * xhat, axis=0)
    dx = r * (gx - proj)
    return (
        dx,
        jnp.zeros_like(mean),
        jnp.zeros_like(var),
        jnp.einsum('nd,nd->d', g, xhat),
        jnp.einsum('nd->d', g),
    )


batch_norm.defvjp(_fwd, _bwd)


class BatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, rngs):
        self.eps = epsilon
        self.decay = momentum
        self.gamma = nnx.Param(jnp.ones(features))
        self.beta = nnx.Param(jnp.zeros(features))
        self.running_mean = nnx.BatchStat(jnp.zeros(features))
        self.running_var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average=False):
        gamma, beta = self.gamma[...], self.beta[...]
        if use_running_average:
            r = lax.rsqrt(self.running_var[...] + self.eps)
            return (x - self.running_mean[...]) * r * gamma + beta
        mean, var = _stats(lax.stop_gradient(x))
        self.running_mean[...] = self.decay * self.running_mean[...] + (1 - self.decay) * mean
        self.running_var[...] = self.decay * self.running_var[...] + (1 - self.decay) * var
        return batch_norm(self.eps, x, mean, var, gamma, beta)
