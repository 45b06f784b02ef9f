"""Batch norm with a JVP rule for the inverse deviation.

The rule reuses the forward value instead of dividing again, which matters
when the layer is differentiated twice (gradient penalty, HVPs).
"""
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def inv_std(var, eps):
    return jax.lax.rsqrt(var + eps)


@inv_std.defjvp
def _inv_std_jvp(eps, primals, tangents):
    (var,), (var_dot,) = primals, tangents
    r = inv_std(var, eps)
    return r, -(r ** 3) * var_dot


class JvpBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, eps=1e-5, *, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(features))
        self.beta = nnx.Param(jnp.zeros(features))
        self.running_mean = nnx.BatchStat(jnp.zeros(features))
        self.running_var = nnx.BatchStat(jnp.ones(features))

    def _affine(self, x_hat):
        return self.gamma[...] * x_hat + self.beta[...]

    def _train_step(self, x):
        mu = jnp.mean(x, axis=0, keepdims=True)
        xc = x - mu
        var = jnp.mean(xc ** 2, axis=0)
        m = self.momentum
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mu[0]
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return self._affine(xc * inv_std(var, self.eps))

    def _eval_step(self, x):
        xc = x - self.running_mean[...]
        return self._affine(xc * inv_std(self.running_var[...], self.eps))

    def __call__(self, x, is_training=True):
        return self._train_step(x) if is_training else self._eval_step(x)
