# Tiled reductions. Mirrors the layout of the Pallas version: the row axis is cut
# into tiles of TILE rows, the last one is filled up with zeros.
import jax
import jax.numpy as jnp
from flax import nnx

TILE = 8


def to_tiles(rows):
    n, c = rows.shape
    fill = -n % TILE
    return jnp.pad(rows, ((0, fill), (0, 0))).reshape(-1, TILE, c)


def tile_reduce(fn, tiles):
    partial_sums = jax.lax.map(lambda t: jnp.sum(fn(t), axis=0), tiles)
    return jnp.sum(partial_sums, axis=0)


def tiled_moments(rows):
    """Two passes: mean first, then the centred squares."""
    n = rows.shape[0]
    tiles = to_tiles(rows)
    mean = tile_reduce(lambda t: t, tiles) / n
    var = tile_reduce(lambda t: jnp.square(t - mean), tiles) / n
    return mean, var


class TiledBatchNorm(nnx.Module):
    def __init__(self, num_features, *, rngs: nnx.Rngs | None = None,
                 decay=0.98, epsilon=1e-5):
        self.decay = decay
        self.epsilon = epsilon
        self.is_training = True
        self.gain = nnx.Param(jnp.ones([num_features]))
        self.bias = nnx.Param(jnp.zeros([num_features]))
        self.avg_mean = nnx.Variable(jnp.zeros([num_features]))
        self.avg_var = nnx.Variable(jnp.ones([num_features]))

    def _track(self, mean, var):
        keep = self.decay
        self.avg_mean[...] = keep * self.avg_mean[...] + (1 - keep) * mean
        self.avg_var[...] = keep * self.avg_var[...] + (1 - keep) * var

    def __call__(self, x):
        if self.is_training:
            mean, var = tiled_moments(x.reshape(-1, x.shape[-1]))
            self._track(mean, var)
        else:
            mean, var = self.avg_mean[...], self.avg_var[...]
        inv = jax.lax.rsqrt(var + self.epsilon)
        return (x - mean) * inv * self.gain[...] + self.bias[...]
