from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _bn_train(x, scale, bias, eps):
    mean = jnp.mean(x, axis=0)
    var = jnp.var(x, axis=0)
    y = (x - mean) * jax.lax.rsqrt(var + eps) * scale + bias
    return y, mean, var


def _bn_train_fwd(x, scale, bias, eps):
    mean = jnp.mean(x, axis=0)
    var = jnp.var(x, axis=0)
    inv_std = jax.lax.rsqrt(var + eps)
    centered = x - mean
    y = centered * inv_std * scale + bias
    return (y, mean, var), (centered, inv_std, scale)


def _bn_train_bwd(eps, res, cts):
    gy, _, _ = cts
    centered, inv_std, scale = res
    x_hat = centered * inv_std
    dbias = jnp.sum(gy, axis=0)
    dscale = jnp.sum(gy * centered, axis=0)
    gx_hat = gy * scale
    dx = inv_std * (
        gx_hat
        - jnp.mean(gx_hat, axis=0)
        - x_hat * jnp.mean(gx_hat * x_hat, axis=0)
    )
    return dx, dscale, dbias


_bn_train.defvjp(_bn_train_fwd, _bn_train_bwd)


class FusedBatchNorm(nnx.Module):
    def __init__(self, features: int, *, momentum: float = 0.99, epsilon: float = 1e-5, rngs: nnx.Rngs):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones(features))
        self.bias = nnx.Param(jnp.zeros(features))
        self.mean = nnx.BatchStat(jnp.zeros(features))
        self.var = nnx.BatchStat(jnp.ones(features))

    def __call__(self, x, use_running_average: bool = False):
        if use_running_average:
            inv_std = jax.lax.rsqrt(self.var[...] + self.epsilon)
            return (x - self.mean[...]) * inv_std * self.scale[...] + self.bias[...]
        y, mean, var = _bn_train(x, self.scale[...], self.bias[...], self.epsilon)
        m = self.momentum
        self.mean[...] = m * self.mean[...] + (1 - m) * mean
        self.var[...] = m * self.var[...] + (1 - m) * var
        return y
