"""Standardisation with its own forward-mode rule.

With a custom JVP both jvp and (by transposition) grad avoid differentiating
through the reductions twice.
"""
import functools

import jax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def standardize(rows, eps):
    mean = rows.mean(0)
    var = jnp.square(rows - mean).mean(0)
    return (rows - mean) * jax.lax.rsqrt(var + eps), mean, var


@standardize.defjvp
def _standardize_jvp(eps, primals, tangents):
    (rows,), (t,) = primals, tangents
    xhat, mean, var = standardize(rows, eps)
    inv = jax.lax.rsqrt(var + eps)

    t_mean = t.mean(0)
    t_var = ((rows - mean) * t).mean(0)
    # d(inv) = -1/2 inv^3 dvar, and (rows - mean) * inv == xhat
    t_xhat = (t - t_mean) * inv - 0.5 * xhat * jnp.square(inv) * t_var
    return (xhat, mean, var), (t_xhat, t_mean, t_var)


class JvpBatchNorm(nnx.Module):
    def __init__(self, features, rngs=None, *, mode="train", decay=0.9, epsilon=1e-5):
        self.features = features
        self.mode = mode
        self.decay = decay
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.avg_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.avg_var = nnx.BatchStat(jnp.ones((features,)))

    def _standardized(self, rows):
        if self.mode == "eval":
            return (rows - self.avg_mean[...]) * jax.lax.rsqrt(self.avg_var[...] + self.epsilon)
        xhat, mean, var = standardize(rows, self.epsilon)
        self.avg_mean[...] = self.decay * self.avg_mean[...] + (1.0 - self.decay) * mean
        self.avg_var[...] = self.decay * self.avg_var[...] + (1.0 - self.decay) * var
        return xhat

    def __call__(self, x):
        xhat = self._standardized(x.reshape(-1, self.features))
        return (xhat * self.gamma[...] + self.beta[...]).reshape(x.shape)
