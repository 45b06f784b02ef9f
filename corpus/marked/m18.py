from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Residuals(NamedTuple):
    normed: jax.Array
    inv_std: jax.Array
    gamma: jax.Array


def affine_normalize(x, gamma, beta, mean, inv_std):
    normed = (x - mean) * inv_std
    return normed, gamma * normed + beta


@jax.custom_vjp
def batch_norm_train(x, gamma, beta, eps):
    return _train_fwd(x, gamma, beta, eps)[0]


def _train_fwd(x, gamma, beta, eps):
    mean = x.mean(axis=0)
    var = jnp.square(x - mean).mean(axis=0)
    inv_std = jax.lax.rsqrt(var + eps)
    normed, out = affine_normalize(x, gamma, beta, mean, inv_std)
    return (out, mean, var), Residuals(normed, inv_std, gamma)


def _train_bwd(res: Residuals, cotangents):
    ct_out = cotangents[0]
    sum_ct = ct_out.sum(axis=0)
    sum_ct_normed = (ct_out * res.normed).sum(axis=0)
    n = ct_out.shape[0]
    ct_x = res.gamma * res.inv_std * (ct_out - sum_ct / n - res.normed * sum_ct_normed / n)
    return ct_x, sum_ct, sum_ct_normed, jnp.zeros(())


batch_norm_train.defvjp(_train_fwd, _train_bwd)


class CustomGradBatchNorm(nnx.Module):
    def __init__(self, features: int, momentum: float = 0.9, eps: float = 1e-5, *, rngs: nnx.Rngs):
        self.momentum = momentum
        self.eps = eps
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.mean = nnx.BatchStat(jnp.zeros((features,)))
        self.var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, use_running_average: bool = False):
        gamma, beta = self.gamma.value, self.beta.value
        if use_running_average:
            inv_std = jax.lax.rsqrt(self.var.value + self.eps)
            return affine_normalize(x, gamma, beta, self.mean.value, inv_std)[1]
        out, mean, var = batch_norm_train(x, gamma, beta, self.eps)
        self.mean.value = optimizer_free_ema(self.mean.value, mean, self.momentum)
        self.var.value = optimizer_free_ema(self.var.value, var, self.momentum)
        return out


def optimizer_free_ema(old, new, momentum):
    return old * momentum + new * (1.0 - momentum)
