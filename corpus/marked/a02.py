"""Batch norm with a fused forward/backward so that XLA saves only x_hat and inv_std."""
import functools

import jax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def fused_bn(x, scale, bias, eps):
    out, _ = _fused_bn_fwd(x, scale, bias, eps)
    return out


def _fused_bn_fwd(x, scale, bias, eps):
    mean = x.mean(axis=0)
    centered = x - mean
    var = jnp.square(centered).mean(axis=0)
    inv_std = jax.lax.rsqrt(var + eps)
    x_hat = centered * inv_std
    y = x_hat * scale + bias
    return (y, mean, var), (x_hat, inv_std, scale)


def _fused_bn_bwd(eps, res, cts):
    x_hat, inv_std, scale = res
    dy, _, _ = cts  # the statistics leave through stop_gradient
    dbias = dy.sum(axis=0)
    dscale = (dy * x_hat).sum(axis=0)
    dx_hat = dy * scale
    proj = (dx_hat * x_hat).mean(axis=0)
    dx = inv_std * (dx_hat - x_hat * proj)
    return dx, dscale, dbias


fused_bn.defvjp(_fused_bn_fwd, _fused_bn_bwd)


class FusedBatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.99, epsilon: float = 1e-5,
                 rngs: nnx.Rngs | None = None):
        self.momentum, self.epsilon = momentum, epsilon
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, train: bool):
        if not train:
            k = jax.lax.rsqrt(self.var[...] + self.epsilon) * self.scale[...]
            return (x - self.mean[...]) * k + self.bias[...]
        y, mean, var = fused_bn(x, self.scale[...], self.bias[...], self.epsilon)
        mean, var = jax.lax.stop_gradient((mean, var))
        self.mean[...] = self.momentum * self.mean[...] + (1.0 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1.0 - self.momentum) * var
        return y
