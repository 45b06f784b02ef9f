import functools

import jax
import jax.numpy as jnp
from flax import nnx


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def batch_norm_train(x, gamma, beta, eps):
    out, _ = _bn_fwd(x, gamma, beta, eps)
    return out


def _bn_fwd(x, gamma, beta, eps):
    mean = jnp.mean(x, axis=0)
    centered = x - mean
    var = jnp.mean(centered * centered, axis=0)
    rstd = jax.lax.rsqrt(var + eps)
    x_hat = centered * rstd
    y = gamma * x_hat + beta
    return (y, mean, var), (x_hat, gamma, rstd)


def _bn_bwd(eps, res, cts):
    x_hat, gamma, rstd = res
    dy, _, _ = cts
    d_beta = jnp.mean(dy, axis=0)
    d_gamma = jnp.sum(dy * x_hat, axis=0)
    d_xhat = dy * gamma
    dx = rstd * (
        d_xhat
        - jnp.mean(d_xhat, axis=0)
        - x_hat * jnp.mean(d_xhat * x_hat, axis=0)
    )
    return dx, d_gamma, d_beta


batch_norm_train.defvjp(_bn_fwd, _bn_bwd)


class FusedBatchNorm(nnx.Module):
    def __init__(self, features, momentum=0.9, epsilon=1e-5, *, rngs=None):
        self.features = features
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma = nnx.Param(jnp.ones((features,)))
        self.beta = nnx.Param(jnp.zeros((features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((features,)))
        self.running_var = nnx.BatchStat(jnp.ones((features,)))

    def __call__(self, x, use_running_average: bool):
        gamma, beta = self.gamma[...], self.beta[...]
        if use_running_average:
            rstd = jax.lax.rsqrt(self.running_var[...] + self.epsilon)
            return gamma * (x - self.running_mean[...]) * rstd + beta

        y, mean, var = batch_norm_train(x, gamma, beta, self.epsilon)
        for buf, stat in ((self.running_mean, mean), (self.running_var, var)):
            stat = jax.lax.stop_gradient(stat)
            buf[...] = self.momentum * buf[...] + (1.0 - self.momentum) * stat
        return y
