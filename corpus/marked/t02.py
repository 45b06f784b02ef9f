from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import nnx


@dataclass(frozen=True)
class BNConfig:
    momentum: float = 0.9
    eps: float = 1e-5


def batch_moments(x):
    mu = x.mean(axis=0)
    var = jnp.square(x - mu).mean(axis=0)
    return mu, var


def normalize(x, mu, var, weight, bias, eps):
    return (x - mu) * jax.lax.rsqrt(var + eps) * weight + bias


def ema(old, new, decay):
    return decay * old + (1.0 - decay) * new


class BatchNorm1d(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, rngs=None):
        self.cfg = BNConfig(momentum=momentum, eps=eps)
        self.weight = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.running_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.running_var = nnx.BatchStat(jnp.ones(num_features))

    def _track(self, mu, var, n):
        cfg = self.cfg
        scale = n / max(n - 1, 1)
        self.running_mean[...] = ema(self.running_mean[...], mu, cfg.momentum)
        self.running_var[...] = ema(self.running_var[...], scale * var, cfg.momentum)

    def __call__(self, x, training=True):
        if training:
            mu, var = batch_moments(x)
            self._track(mu, var, x.shape[0])
        else:
            mu, var = self.running_mean[...], self.running_var[...]
        return normalize(x, mu, var, self.weight[...], self.bias[...], self.cfg.eps)
