"""Reference (pure jnp) twin of our batch-norm kernel; the VJP is spelled out so
that each intermediate can be compared with the kernel's scratch buffers."""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class Residuals(NamedTuple):
    centred: jax.Array
    inv_std: jax.Array
    gamma: jax.Array


class Stats(NamedTuple):
    mean: jax.Array
    var: jax.Array


def _stats(x):
    mean = x.mean(0)
    return Stats(mean, jnp.square(x - mean).mean(0))


@jax.custom_vjp
def normalize(x, gamma, beta, eps):
    return normalize_fwd(x, gamma, beta, eps)[0]


def normalize_fwd(x, gamma, beta, eps):
    mean, var = _stats(x)
    inv_std = 1.0 / jnp.sqrt(var + eps)
    centred = x - mean
    return centred * inv_std * gamma + beta, Residuals(centred, inv_std, gamma)


def normalize_bwd(res, g):
    n = g.shape[0]
    grad_beta = g.sum(0)
    grad_gamma = (g * res.centred).sum(0)
    g_hat = g * res.gamma
    grad_var = (g_hat * res.centred).sum(0) * -0.5 * res.inv_std**3
    grad_mean = -(g_hat * res.inv_std).sum(0)
    grad_x = g_hat * res.inv_std + grad_var * 2.0 * res.centred / n + grad_mean / n
    return grad_x, grad_gamma, grad_beta, None


normalize.defvjp(normalize_fwd, normalize_bwd)


class BatchNormRef(nnx.Module):
    def __init__(self, num_features, decay=0.95, epsilon=1e-5, rngs=None):
        self.decay, self.epsilon = decay, epsilon
        self.gamma = nnx.Param(jnp.ones([num_features]))
        self.beta = nnx.Param(jnp.zeros([num_features]))
        self.ema_mean = nnx.BatchStat(jnp.zeros([num_features]))
        self.ema_var = nnx.BatchStat(jnp.ones([num_features]))

    def __call__(self, x, use_running_average=False):
        gamma, beta = self.gamma[...], self.beta[...]
        if use_running_average:
            inv_std = 1.0 / jnp.sqrt(self.ema_var[...] + self.epsilon)
            return (x - self.ema_mean[...]) * inv_std * gamma + beta
        batch = _stats(jax.lax.stop_gradient(x))
        for ema, new in zip((self.ema_mean, self.ema_var), batch):
            ema[...] = self.decay * ema[...] + (1 - self.decay) * new
        return normalize(x, gamma, beta, self.epsilon)
