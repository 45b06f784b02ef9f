import math
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

AXIS = "tile"


def _normalize_tile(tile, eps):
    local = jnp.mean(tile, axis=0)
    mean = lax.pmean(local, AXIS)
    var = lax.pmean(jnp.mean(jnp.square(tile - local), axis=0), AXIS)
    return (tile - mean) * lax.rsqrt(var + eps), mean, var


class TiledSyncBatchNorm(nnx.Module):
    """Rows are spread over tiles of equal height with synchronised statistics."""

    def __init__(self, num_features, *, momentum=0.9, eps=1e-5, tiles=4, rngs=None):
        self.momentum = momentum
        self.eps = eps
        self.tiles = tiles
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.var = nnx.BatchStat(jnp.ones((num_features,)))

    def _train(self, x):
        tiled = x.reshape(math.gcd(x.shape[0], self.tiles), -1, x.shape[1])
        program = jax.vmap(
            partial(_normalize_tile, eps=self.eps), axis_name=AXIS, out_axes=(0, None, None)
        )
        y, mean, var = program(tiled)
        m = self.momentum
        self.mean[...] = m * self.mean[...] + (1 - m) * lax.stop_gradient(mean)
        self.var[...] = m * self.var[...] + (1 - m) * lax.stop_gradient(var)
        return y.reshape(x.shape)

    def _eval(self, x):
        return (x - self.mean[...]) * lax.rsqrt(self.var[...] + self.eps)

    def __call__(self, x, use_running_average=False):
        y = self._eval(x) if use_running_average else self._train(x)
        return y * self.scale[...] + self.bias[...]
