from functools import partial
from typing import Tuple

import jax
import jax.numpy as jnp
from flax import nnx


# ---- functional core -------------------------------------------------------

def moments(x: jax.Array) -> Tuple[jax.Array, jax.Array]:
    m = x.mean(axis=0)
    return m, jnp.square(x - m).mean(axis=0)


def normalize(x, mean, var, gamma, beta, eps):
    inv = gamma / jnp.sqrt(var + eps)
    return (x - mean) * inv + beta


def decay(old, new, momentum):
    return momentum * old + (1.0 - momentum) * new


def bn_train(x, gamma, beta, r_mean, r_var, *, momentum, eps):
    var, mean = moments(x)
    y = normalize(x, mean, var, gamma, beta, eps)
    return y, decay(r_mean, mean, momentum), decay(r_var, var, momentum)


def bn_eval(x, gamma, beta, r_mean, r_var, *, eps):
    return normalize(x, r_mean, r_var, gamma, beta, eps)


# ---- module ----------------------------------------------------------------

class BatchNorm(nnx.Module):
    def __init__(self, num_features: int, *, momentum: float = 0.9, eps: float = 1e-5, rngs: nnx.Rngs):
        self.momentum, self.eps = momentum, eps
        self.gamma = nnx.Param(jnp.ones((num_features,)))
        self.beta = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def __call__(self, x, use_running_average: bool = False):
        args = (x, self.gamma.value, self.beta.value, self.running_mean.value, self.running_var.value)
        if use_running_average:
            return bn_eval(*args, eps=self.eps)
        y, new_mean, new_var = bn_train(*args, momentum=self.momentum, eps=self.eps)
        self.running_mean.value = new_mean
        self.running_var.value = new_var
        return y
