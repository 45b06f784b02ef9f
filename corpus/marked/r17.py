# Memory-lean batch norm: saves x (which the previous layer keeps alive anyway)
# plus two D-vectors, and recomputes everything else in the backward pass.
import functools

import jax
import jax.numpy as jnp
from flax import nnx


def _moments(x):
    mean = jnp.mean(x, axis=0)
    return mean, jnp.mean(jnp.square(x - mean), axis=0)


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _lean_bn(x, w, b, eps):
    mean, var = _moments(x)
    return (x - mean) * jax.lax.rsqrt(var + eps) * w + b


def _lean_bn_fwd(x, w, b, eps):
    mean, var = _moments(x)
    rstd = jax.lax.rsqrt(var + eps)
    return (x - mean) * rstd * w + b, (x, w, mean, rstd)


def _lean_bn_bwd(eps, saved, gy):
    x, w, mean, rstd = saved
    xmu = x - mean

    gb = jnp.einsum("nd->d", gy)
    gw = jnp.einsum("nd,nd->d", gy, xmu)

    gx_hat = gy * w
    proj = jnp.mean(gx_hat * xmu, axis=0) * rstd**2
    gx = rstd * (gx_hat - jnp.mean(gx_hat, axis=0) - xmu * proj)
    return gx, gw, gb


_lean_bn.defvjp(_lean_bn_fwd, _lean_bn_bwd)


class LeanBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.w = nnx.Param(jnp.ones(num_features))
        self.b = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def _ema_(self, mean, var):
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var

    def __call__(self, x, use_running_average=False):
        if use_running_average:
            rstd = jax.lax.rsqrt(self.var[...] + self.eps)
            return (x - self.mean[...]) * rstd * self.w[...] + self.b[...]
        self._ema_(*_moments(jax.lax.stop_gradient(x)))
        return _lean_bn(x, self.w[...], self.b[...], self.eps)
