# Forward-mode friendly batch norm: we need jvp (and jvp-of-grad) for the
# curvature experiments, so the rule is written as a custom_jvp.
import functools

import jax
from jax import lax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def standardize(x, eps):
    mean = x.mean(0)
    var = jnp.square(x - mean).mean(0)
    return (x - mean) * lax.rsqrt(var + eps)


@standardize.defjvp
def _standardize_jvp(eps, primals, tangents):
    x, = primals
    x_dot, = tangents

    centered = x - x.mean(0)
    var = jnp.square(centered).mean(0)
    r = lax.rsqrt(var + eps)

    centered_dot = x_dot - x_dot.mean(0)
    var_dot = (centered * centered_dot).mean(0)
    r_dot = -0.5 * r**3 * var_dot

    return centered * r, centered_dot * r + centered * r_dot


class JvpBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        shape = (num_features,)
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones(shape))
        self.beta = nnx.Param(jnp.zeros(shape))
        self.mean = nnx.BatchStat(jnp.zeros(shape))
        self.var = nnx.BatchStat(jnp.ones(shape))

    def update_stats(self, x):
        x = lax.stop_gradient(x)
        keep, take = self.momentum, 1.0 - self.momentum
        self.mean[...] = keep * self.mean[...] + take * x.mean(0)
        self.var[...] = keep * self.var[...] + take * x.var(0)

    def __call__(self, x, training=True):
        if training:
            self.update_stats(x)
            h = standardize(x, self.eps)
        else:
            h = (x - self.mean[...]) * lax.rsqrt(self.var[...] + self.eps)
        return self.gamma[...] * h + self.beta[...]
