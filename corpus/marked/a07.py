"""Tiled batch norm: mirrors the accelerator kernel, which walks over (TILE, D) tiles."""
import jax
import jax.numpy as jnp
from flax import nnx

TILE = 128


def _to_tiles(x):
    n, d = x.shape
    pad = -n % TILE
    padded = jnp.pad(x, ((0, pad), (0, 0)))
    return padded.reshape(-1, TILE, d)


def _accumulate(fn, tiles):
    def body(acc, tile):
        return acc + fn(tile).sum(axis=0), None

    zero = jnp.zeros((tiles.shape[-1],), jnp.float32)
    return jax.lax.scan(body, zero, tiles)[0]


def tiled_moments(x):
    n = x.shape[0]
    tiles = _to_tiles(x.astype(jnp.float32))
    mean = _accumulate(lambda t: t, tiles) / n
    var = _accumulate(lambda t: jnp.square(t - mean), tiles) / n
    return mean, var


class TiledBatchNorm(nnx.Module):
    def __init__(self, num_features: int, momentum: float = 0.9, epsilon: float = 1e-5,
                 *, rngs: nnx.Rngs | None = None):
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((num_features,), jnp.float32))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,), jnp.float32))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,), jnp.float32))

    def _blend(self, stat, value):
        stat[...] = stat[...] * self.momentum + value * (1 - self.momentum)

    def __call__(self, x, train):
        if train:
            mean, var = tiled_moments(x)
            self._blend(self.running_mean, jax.lax.stop_gradient(mean))
            self._blend(self.running_var, jax.lax.stop_gradient(var))
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        mul = jax.lax.rsqrt(var + self.epsilon) * self.scale[...]
        return (x - mean) * mul + self.bias[...]
