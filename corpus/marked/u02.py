"""Batch normalisation in the style of Equinox: written for one example, then vmapped.

Inside the vmap the batch is only visible through collectives over a named axis,
which keeps the per-example code free of axis arguments.
"""
import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

AXIS = "batch"


def _single_example(x, weight, bias, eps):
    """x: (size,).  Returns the normalised example and the moments of the batch."""
    mean = lax.pmean(x, AXIS)
    centred = x - mean
    var = lax.stop_gradient(lax.pmean(jnp.square(centred), AXIS))
    out = centred * lax.rsqrt(var + eps)
    return out * weight + bias, mean, var


class BatchNorm(nnx.Module):
    """Port of `eqx.nn.BatchNorm(mode="ema")`; the state lives in the module.

    **Arguments:**

    - `input_size`: number of features.
    - `eps`: added to the variance for stability.
    - `momentum`: share of the old running statistics kept at every call.
    """

    def __init__(self, input_size: int, eps: float = 1e-5, momentum: float = 0.99, rngs=None):
        self.input_size = input_size
        self.eps = eps
        self.momentum = momentum
        self.weight = nnx.Param(jnp.ones(input_size))
        self.bias = nnx.Param(jnp.zeros(input_size))
        self.running_mean = nnx.BatchStat(jnp.zeros(input_size))
        self.running_var = nnx.BatchStat(jnp.ones(input_size))

    def __call__(self, x, deterministic: bool = False):
        weight, bias = self.weight[...], self.bias[...]
        if deterministic:
            scale = weight * lax.rsqrt(self.running_var[...] + self.eps)
            return (x - self.running_mean[...]) * scale + bias
        fn = functools.partial(_single_example, weight=weight, bias=bias, eps=self.eps)
        out, mean, var = jax.vmap(fn, axis_name=AXIS, out_axes=(0, None, None))(x)
        m = self.momentum
        # The running statistics are bookkeeping only, no gradient belongs in them.
        mean, var = lax.stop_gradient((mean, var))
        self.running_mean[...] = m * self.running_mean[...] + (1 - m) * mean
        self.running_var[...] = m * self.running_var[...] + (1 - m) * var
        return out
