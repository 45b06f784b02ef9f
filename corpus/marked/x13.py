"""Batch norm over fixed-size row tiles (the layout our TPU kernel wants)."""
import jax
import jax.numpy as jnp
from flax import nnx

TILE_ROWS = 8


def to_tiles(x, rows=TILE_ROWS):
    """(N, D) -> ((T, rows, D) zero padded, (T, rows, 1) validity mask)."""
    n, d = x.shape
    pad = -n % rows
    valid = jnp.arange(n + pad) < n
    padded = jnp.pad(x, ((0, pad), (0, 0)))
    return padded.reshape(-1, rows, d), valid.reshape(-1, rows, 1).astype(x.dtype)


def tiled_sum(tiles):
    """Reduce within each tile first, then across tiles."""
    return tiles.sum(axis=1).sum(axis=0)


def tiled_moments(x):
    tiles, valid = to_tiles(x)
    count = tiled_sum(valid)
    mean = tiled_sum(tiles * valid) / count
    deviation = tiles - mean
    var = tiled_sum(jnp.square(deviation)) / count
    return mean, var


class TiledBatchNorm(nnx.Module):
    """`momentum`: fraction of the running statistics that survives an update."""

    def __init__(self, num_features, *, momentum=0.9, epsilon=1e-5, rngs=None):
        self.num_features = num_features
        self.momentum = momentum
        self.epsilon = epsilon
        self.scale = nnx.Param(jnp.ones((num_features,)))
        self.bias = nnx.Param(jnp.zeros((num_features,)))
        self.running_mean = nnx.BatchStat(jnp.zeros((num_features,)))
        self.running_var = nnx.BatchStat(jnp.ones((num_features,)))

    def _blend(self, stat, value):
        value = jax.lax.stop_gradient(value)
        stat[...] = self.momentum * stat[...] + (1.0 - self.momentum) * value

    def __call__(self, x, train: bool):
        if x.ndim != 2 or x.shape[-1] != self.num_features:
            raise ValueError(f"expected (N, {self.num_features}), got {x.shape}")
        if train:
            mean, var = tiled_moments(x)
            self._blend(self.running_mean, mean)
            self._blend(self.running_var, var)
        else:
            mean, var = self.running_mean[...], self.running_var[...]
        inv_std = jax.lax.rsqrt(var + self.epsilon)
        return (x - mean) * (inv_std * self.scale[...]) + self.bias[...]
