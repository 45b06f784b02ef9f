"""Functional core, thin module shell."""
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx


class BNParams(NamedTuple):
    gamma: jax.Array
    beta: jax.Array


class BNState(NamedTuple):
    mean: jax.Array
    var: jax.Array


def batch_state(x) -> BNState:
    n = x.shape[1]
    mean = x.sum(axis=0) / n
    var = jnp.square(x - mean).sum(axis=0) / n
    return BNState(mean, var)


def blend(old: BNState, new: BNState, momentum) -> BNState:
    return BNState(*(momentum * o + (1 - momentum) * n for o, n in zip(old, new)))


def apply_train(x, p: BNParams, s: BNState, momentum, eps):
    now = batch_state(x)
    inv = jax.lax.rsqrt(now.var + eps)
    return p.gamma * ((x - now.mean) * inv) + p.beta, blend(s, now, momentum)


def apply_eval(x, p: BNParams, s: BNState, eps):
    # everything but x is constant here: fold it once
    inv = p.gamma * jax.lax.rsqrt(s.var + eps)
    return p.gamma * ((x - s.mean) * inv) + p.beta


class FunctionalBatchNorm(nnx.Module):
    def __init__(self, num_features, momentum=0.9, eps=1e-5, rngs=None):
        self.momentum, self.eps = momentum, eps
        self.gamma = nnx.Param(jnp.ones(num_features))
        self.beta = nnx.Param(jnp.zeros(num_features))
        self.state_mean = nnx.BatchStat(jnp.zeros(num_features))
        self.state_var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x, train=True):
        params = BNParams(self.gamma[...], self.beta[...])
        state = BNState(self.state_mean[...], self.state_var[...])
        if not train:
            return apply_eval(x, params, state, self.eps)
        y, state = apply_train(x, params, state, self.momentum, self.eps)
        self.state_mean[...], self.state_var[...] = state
        return y
