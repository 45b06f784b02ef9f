from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import nnx


def _fwd_impl(eps, x, scale, bias):
    mean = jnp.mean(x, axis=0)
    centered = x - mean
    var = jnp.mean(centered * centered, axis=0)
    rstd = jax.lax.rsqrt(var + eps)
    y = centered * rstd * scale + bias
    return (y, mean, var), (centered, rstd, scale)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def fused_bn(eps, x, scale, bias):
    """Returns (y, mean, var); mean and var are treated as constants by autodiff."""
    return _fwd_impl(eps, x, scale, bias)[0]


def _bwd_impl(eps, res, cts):
    del eps
    centered, rstd, scale = res
    dy, _, _ = cts
    x_hat = centered * rstd
    d_bias = dy.sum(axis=0)
    d_scale = (dy * centered).sum(axis=0)
    g = dy * scale
    d_x = rstd * (g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0))
    return d_x, d_scale, d_bias


fused_bn.defvjp(_fwd_impl, _bwd_impl)


class FusedBatchNorm(nnx.Module):
    def __init__(self, features: int, momentum: float = 0.99, epsilon: float = 1e-5, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((features,)))
        self.bias = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        if use_running_average:
            rstd = jax.lax.rsqrt(self.var.value + self.epsilon)
            return (x - self.mean.value) * rstd * self.scale.value + self.bias.value
        y, mean, var = fused_bn(self.epsilon, x, self.scale.value, self.bias.value)
        m = self.momentum
        self.mean.value = m * self.mean.value + (1 - m) * mean
        self.var.value = m * self.var.value + (1 - m) * var
        return y
