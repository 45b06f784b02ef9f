import jax
import jax.numpy as jnp
from jax import lax
from flax import nnx


@jax.custom_vjp
def normalize(x, scale, bias, eps):
    return _forward(x, scale, bias, eps)[0]


def _forward(x, scale, bias, eps):
    mu = x.mean(0, keepdims=True)
    var = lax.square(x - mu).mean(0, keepdims=True)
    rstd = lax.rsqrt(var + eps)
    xhat = (x - mu) * rstd
    out = xhat * scale + bias
    return (out, mu[0], var[0]), (xhat, rstd, scale)


def _backward(saved, cotangents):
    xhat, rstd, scale = saved
    g, _, _ = cotangents
    gx = g * scale
    gx = gx - gx.mean(0) - xhat * (gx * xhat).mean(0)
    gscale = (g * xhat).mean(0)
    gbias = g.sum(0)
    return rstd * gx, gscale, gbias, jnp.zeros(())


normalize.defvjp(_forward, _backward)


class BatchNorm1d(nnx.Module):
    """(N, D) batch norm; training goes through a hand-derived gradient."""

    def __init__(self, features, decay=0.9, epsilon=1e-5, *, rngs=None):
        self.decay = decay
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mu = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, train):
        if not train:
            rstd = lax.rsqrt(self.var[...] + self.epsilon)
            return (x - self.mu[...]) * rstd * self.scale[...] + self.bias[...]
        y, mu, var = normalize(x, self.scale[...], self.bias[...], self.epsilon)
        mu, var = lax.stop_gradient((mu, var))
        self.mu[...] = self.decay * self.mu[...] + (1 - self.decay) * mu
        self.var[...] = self.decay * self.var[...] + (1 - self.decay) * var
        return y
