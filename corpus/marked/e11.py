from functools import partial

import jax.numpy as jnp
from flax import nnx
from jax import lax


def blocked_sum(fn, x, block):
    n, width = x.shape
    size = min(block, n)
    steps = -(-n // size)

    def body(i, acc):
        start = i * size
        rows = lax.dynamic_slice_in_dim(x, start, size, axis=0)
        live = start + jnp.arange(size) < n
        return acc + jnp.sum(jnp.where(live[:, None], fn(rows), 0.0), axis=0)

    return lax.fori_loop(0, steps, body, jnp.zeros((width,), x.dtype))


class LoopedBatchNorm(nnx.Module):
    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, block=8, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.eps = eps
        self.block = block
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _measure(self, x):
        total = partial(blocked_sum, x=x, block=self.block)
        mean = total(lambda rows: rows) / x.shape[0]
        var = total(lambda rows: jnp.square(rows - mean)) / x.shape[0]
        return mean, var

    def __call__(self, x, training: bool = True):
        if training:
            mean, var = self._measure(x)
            w = self.momentum
            self.mean[...] = w * self.mean[...] + (1.0 - w) * lax.stop_gradient(mean)
            self.var[...] = w * self.var[...] + (1.0 - w) * lax.stop_gradient(var)
        else:
            mean, var = self.mean[...], self.var[...]
        return self.scale[...] * (x - mean) * lax.rsqrt(var + self.eps) + self.bias[...]
