from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx

MOMENTUM = 0.9
EPS = 1e-5

batch_mean = partial(jnp.mean, axis=0)
batch_var = partial(jnp.var, axis=0, ddof=1)


def affine(x, mean, var, weight, bias, *, eps):
    return weight * (x - mean) / jnp.sqrt(var + eps) + bias


def moving(old, new, *, momentum):
    return momentum * old + (1.0 - momentum) * jax.lax.stop_gradient(new)


class BatchNorm(nnx.Module):
    def __init__(self, d: int, momentum: float = MOMENTUM, eps: float = EPS, *, rngs=None):
        self.d = d
        self._affine = partial(affine, eps=eps)
        self._moving = partial(moving, momentum=momentum)
        self.weight = nnx.Param(jnp.ones((d,)))
        self.bias = nnx.Param(jnp.zeros((d,)))
        self.mean = nnx.Variable(jnp.zeros((d,)))
        self.var = nnx.Variable(jnp.ones((d,)))

    def __call__(self, x, train: bool):
        if not train:
            return self._affine(x, self.mean[...], self.var[...],
                                self.weight[...], self.bias[...])
        mean = batch_mean(x)
        var = batch_var(x)
        self.mean[...] = self._moving(self.mean[...], mean)
        self.var[...] = self._moving(self.var[...], var)
        return self._affine(x, mean, var, self.weight[...], self.bias[...])
