# fused_bn.py
#
# Batch norm with a fused backward pass: only x_hat and the inverse standard
# deviation are kept between forward and backward.
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def fused_bn(x, scale, bias, eps):
    return _fused_bn_fwd(x, scale, bias, eps)[0]


def _fused_bn_fwd(x, scale, bias, eps):
    mean = jnp.mean(x, axis=0)
    var = jnp.var(x, axis=0)
    inv = jax.lax.rsqrt(var + eps)
    x_hat = (x - mean) * inv
    out = x_hat * scale + bias
    return (out, mean, var), (x_hat, inv, scale)


def _fused_bn_bwd(eps, res, cotangents):
    x_hat, inv, scale = res
    dy, _, _ = cotangents  # the statistics are only used for tracking

    dbias = jnp.sum(dy, axis=0)
    dscale = jnp.sum(dy * x_hat, axis=0)

    dx_hat = dy * scale
    dx = inv * (
        dx_hat
        - jnp.mean(dx_hat, axis=0)
        - jnp.mean(dx_hat * x_hat, axis=0)
    )
    return dx, dscale, dbias


fused_bn.defvjp(_fused_bn_fwd, _fused_bn_bwd)


class FusedBatchNorm(nnx.Module):
    def __init__(
        self,
        num_features: int,
        *,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        rngs: nnx.Rngs | None = None,
    ):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x: jax.Array, use_running_average: bool = False) -> jax.Array:
        scale, bias = self.scale[...], self.bias[...]
        if use_running_average:
            inv = jax.lax.rsqrt(self.var[...] + self.epsilon)
            return (x - self.mean[...]) * inv * scale + bias

        out, mean, var = fused_bn(x, scale, bias, self.epsilon)
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * var
        return out
