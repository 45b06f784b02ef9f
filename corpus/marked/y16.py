"""BatchNorm with an explicit VJP; keeps xhat rather than x for backward."""
import jax
import jax.numpy as jnp
from flax import nnx


class RunningStat(nnx.BatchStat):
    """Moving statistics of a normalisation layer."""


def make_core(eps):
    @jax.custom_vjp
    def core(x, scale, bias):
        return forward(x, scale, bias)[0]

    def forward(x, scale, bias):
        mean = jnp.mean(x, axis=0)
        var = jnp.mean(jnp.square(x - mean), axis=0)
        rstd = jax.lax.rsqrt(var + eps)
        xhat = (x - mean) * rstd
        return (xhat * scale + bias, mean, var), (xhat, rstd, scale)

    def backward(saved, cotangents):
        xhat, rstd, scale = saved
        dy = cotangents[0]
        dscale = jnp.sum(dy * xhat, axis=0)
        dbias = jnp.mean(dy, axis=0)
        # projection of dy onto the span of (1, xhat), removed from dy
        flat = jnp.mean(dy, axis=0)
        along = xhat * jnp.mean(dy * xhat, axis=0)
        dx = scale * rstd * (dy - flat - along)
        return dx, dscale, dbias

    core.defvjp(forward, backward)
    return core


class ExplicitBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        shape = (features,)
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(shape))
        self.bias = nnx.Param(jnp.zeros(shape))
        self.ra_mean = RunningStat(jnp.ones(shape))
        self.ra_var = RunningStat(jnp.ones(shape))

    def __call__(self, x, train=False):
        scale, bias = self.scale[...], self.bias[...]
        if train:
            y, mean, var = make_core(self.epsilon)(x, scale, bias)
            for stat, new in ((self.ra_mean, mean), (self.ra_var, var)):
                stat[...] = self.momentum * stat[...] + (1.0 - self.momentum) * new
            return y
        rstd = jax.lax.rsqrt(self.ra_var[...] + self.epsilon)
        return (x - self.ra_mean[...]) * rstd * scale + bias
